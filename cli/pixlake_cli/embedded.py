"""Which vectors of a lake a command works on."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake

if TYPE_CHECKING:
    from pyiceberg.table import Table


def choose_vectors(table: "Table", lake: Lake, experiment: str | None, wanted: str | None) -> str:
    """The model, `name@version`, whose vectors are meant: the one that made most of them, unless `wanted` is another.

    Says on standard error which others there are; MissingObject where there is none.
    """
    from pixlake.search.stored import choose_model, count_models, read_batches

    models = count_models(read_batches(table, experiment, ["model"]))
    where = f"experiment {experiment!r} of {lake.uri}" if experiment else lake.uri
    chosen = choose_model(models, wanted, where)
    if wanted is None:
        say_others(models, chosen)
    return chosen


def say_others(models: Counter[str], chosen: str) -> None:
    """Say on standard error whose vectors could be meant, too."""
    if len(models) > 1:
        others = ", ".join(sorted(models.keys() - {chosen}))
        click.echo(f"the vectors are those of {chosen}; --model chooses another: {others}", err=True)
