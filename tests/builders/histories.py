"""Uploads of an experiment as Hypothesis draws them, and the tables that they are committed to, one after another."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.expressions.literals import literal

from pixlake.iceberg.latecomers import Fit
from pixlake.iceberg.uploads import AGREEING, UploadCommit
from pixlake.messages import Effect
from tests.builders.tables import Said
from tests.doubles.tables import MemoryCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

IMAGES = "pqr"
_numbers = itertools.count()


class Tables:
    """The tables of a new experiment."""

    def __init__(self, catalog: MemoryCatalog, fit: Fit | None = None) -> None:
        self.catalog = catalog
        self.fit = fit
        self.experiment = f"e{next(_numbers)}"
        self.execution = "one"

    def steps(self, said: Said) -> Iterator[tuple[str, Effect]]:
        """Commit it, table by table."""
        complete = said.when if said.complete else None
        name = f"{self.experiment} {said.day}"
        execution, deadline = f"{self.execution} {said.day}", time.monotonic() + 60
        catalog = cast("Catalog", self.catalog)
        commit = UploadCommit(catalog, self.experiment, execution, name.__add__, 1 << 28, deadline, complete, self.fit)
        return commit.steps(said.sources(self.experiment))

    def put(self, *some: Said) -> dict[str, Effect]:
        effects: dict[str, Effect] = {}
        for said in some:
            effects = dict(self.steps(said))
        return effects

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        here = EqualTo(term=Reference("experiment_id"), value=literal(self.experiment))
        tables = {schema.name: self.catalog.load_table((self.catalog.name, schema.name)) for schema in AGREEING}
        return {name: table.scan(row_filter=here).rows() for name, table in tables.items()}


def uploads(complete: bool, images: Sequence[str] = IMAGES, ids: Sequence[str] = "ab") -> st.SearchStrategy[list[Said]]:
    """Uploads of different days, in the order in which they are committed, some of them again."""
    owners = st.fixed_dictionaries({}, optional=dict.fromkeys(images, st.sampled_from([*ids[:2], None])))
    contents = st.tuples(
        owners,
        st.sets(st.sampled_from(ids)),
        st.booleans(),
        st.booleans(),
        st.sampled_from([False, False, complete]),
        st.sampled_from("xy"),
    )
    days = st.lists(st.integers(1, 9), unique=True, min_size=2, max_size=4)
    drawn = days.flatmap(lambda each: st.tuples(*(st.builds(_said, st.just(day), contents) for day in each)))
    return st.tuples(drawn, st.lists(st.integers(0, 3), max_size=1)).map(
        lambda found: [*found[0], *(found[0][place % len(found[0])] for place in found[1])]
    )


def _said(day: int, contents: tuple[dict[str, str | None], set[str], bool, bool, bool, str]) -> Said:
    owners, others, by_image, classified, complete, content = contents
    names = sorted(others | {owner for owner in owners.values() if owner})
    records = {name: [path for path in owners if owners[path] == name] for name in names}
    return Said(day, records, [path for path in owners if not owners[path]], by_image, classified, complete, content)
