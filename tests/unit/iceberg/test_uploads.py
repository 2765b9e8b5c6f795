"""Whatever is uploaded in whatever order, the tables end as a dictionary in memory ends, and agree with each other."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.expressions.literals import literal

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.uploads import AGREEING, UploadCommit
from pixlake.messages import Effect
from tests.builders.executions import TableLake
from tests.builders.tables import Dictionary, Said, assert_agreement, tabulate

IMAGES = "pqr"
_numbers = itertools.count()


class Tables:
    """The tables of a new experiment."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.experiment = f"e{next(_numbers)}"

    def steps(self, said: Said) -> Iterator[tuple[str, Effect]]:
        """Commit it, table by table."""
        complete = said.when if said.complete else None
        name = f"{self.experiment} {said.day}"
        deadline = time.monotonic() + 60
        commit = UploadCommit(self.catalog, self.experiment, name, name.__add__, 1 << 28, deadline, complete)
        return commit.steps(said.sources(self.experiment))

    def put(self, *some: Said) -> dict[str, Effect]:
        effects: dict[str, Effect] = {}
        for said in some:
            effects = dict(self.steps(said))
        return effects

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        here = EqualTo(term=Reference("experiment_id"), value=literal(self.experiment))
        return {
            schema.name: load_table(self.catalog, schema.name).scan(row_filter=here).to_arrow().to_pylist()
            for schema in AGREEING
        }


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    lake = TableLake(tmp_path_factory.mktemp("lake"))
    return open_catalog(lake.uri, lake.catalog_uri)


@pytest.fixture
def tables(catalog: Catalog) -> Tables:
    return Tables(catalog)


def expected(*some: Said) -> dict[str, dict[Any, Any]]:
    model = Dictionary()
    for said in some:
        model.add(said)
    return model.tables()


def uploads(complete: bool) -> st.SearchStrategy[list[Said]]:
    """Uploads of different days, in the order in which they are committed, some of them again."""
    owners = st.fixed_dictionaries({}, optional=dict.fromkeys(IMAGES, st.sampled_from(["a", "b", None])))
    contents = st.tuples(
        owners, st.sets(st.sampled_from("ab")), st.booleans(), st.booleans(), st.sampled_from([False, False, complete])
    )
    days = st.lists(st.integers(1, 9), unique=True, min_size=2, max_size=4)
    drawn = days.flatmap(lambda each: st.tuples(*(st.builds(_said, st.just(day), contents) for day in each)))
    return st.tuples(drawn, st.lists(st.integers(0, 3), max_size=1)).map(
        lambda found: [*found[0], *(found[0][place % len(found[0])] for place in found[1])]
    )


def _said(day: int, contents: tuple[dict[str, str | None], set[str], bool, bool, bool]) -> Said:
    owners, others, by_image, classified, complete = contents
    names = sorted(others | {owner for owner in owners.values() if owner})
    records = {name: [path for path in owners if owners[path] == name] for name in names}
    return Said(day, records, [path for path in owners if not owners[path]], by_image, classified, complete)


@settings(max_examples=14, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads(complete=True))
def test_any_sequence_of_uploads_ends_as_a_dictionary_ends(catalog: Catalog, some: list[Said]) -> None:
    tables = Tables(catalog)
    tables.put(*some)
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows) == expected(*some)


@settings(max_examples=14, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads(complete=False), st.lists(st.booleans(), min_size=8, max_size=8))
def test_two_uploads_at_once_end_as_one_after_the_other(catalog: Catalog, some: list[Said], turns: list[bool]) -> None:
    tables = Tables(catalog)
    tables.put(*some[2:])
    interleave(tables.steps(some[0]), tables.steps(some[1]), turns)
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows) == expected(*some) == expected(*reversed(some))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uploads(complete=True), st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_complete_upload_and_others_at_once_agree(catalog: Catalog, some: list[Said], turns: list[bool]) -> None:
    tables = Tables(catalog)
    tables.put(*some[2:])
    interleave(tables.steps(some[0]), tables.steps(some[1]), turns)
    rows = tables.rows()
    assert_agreement(rows)
    found, must = tabulate(rows), expected(*some[2:], *some[:2])
    assert (found["records"], found["embeddings"]) == (must["records"], must["embeddings"])


def interleave(first: Iterator[object], second: Iterator[object], turns: Sequence[bool]) -> None:
    for turn in turns:
        next(first if turn else second, None)
    for rest in (first, second):
        list(rest)
