"""Which vectors of a lake a command works on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake

if TYPE_CHECKING:
    from pyiceberg.table import Table


def choose_vectors(
    table: "Table", lake: Lake, experiment: str | None, wanted: str | None, fits: Callable[[str], bool] | None = None
) -> str:
    """The model, `name@version`, whose vectors are meant: the one that made most of them, first of those that `fits`,
    unless `wanted` is another.

    Says on standard error which others there are; MissingObject where there is none.
    """
    from pixlake.search.nearest import choose_model, count_models, read_batches

    models = count_models(read_batches(table, experiment, ["model"]))
    where = f"experiment {experiment!r} of {lake.uri}" if experiment else lake.uri
    chosen = choose_model(models, wanted, where, fits)
    if len(models) > 1 and wanted is None:
        others = ", ".join(sorted(models.keys() - {chosen}))
        click.echo(f"the vectors are those of {chosen}; --model chooses another: {others}", err=True)
    return chosen
