"""Any sequence of commits, replays and merges of small files against a dictionary that says what must be there."""

import time
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.commit import Target, commit_sources, pack_small_files
from pixlake.iceberg.rows import TableRows
from pixlake.schemas import RECORDS
from tests.builders.examples import examples
from tests.contract.commits import Put, expected, held
from tests.contract.places import LakePlace

TARGET = 256 << 20
ids = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5, unique=True)
steps = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 4), ids, st.integers(0, 3)),
    st.tuples(st.just("again"), st.integers(0, 6)),
    st.tuples(st.just("pack")),
)


@examples(12)
@given(st.lists(steps, max_size=7))
def test_any_sequence_of_commits_leaves_the_newest_rows(sequence: list[tuple]) -> None:  # type: ignore[type-arg]
    with TemporaryDirectory() as folder:
        lake_place = LakePlace(f"file://{folder}", f"sqlite:///{folder}/catalog.db")
        puts: list[Put] = []
        for number, (kind, *what) in enumerate(sequence):
            if kind == "put":
                day, keys, small_files = what
                puts.append(Put(f"n{number}", day, tuple(keys)))
                commit(lake_place, puts[-1], small_files)
            elif kind == "again" and puts:
                commit(lake_place, puts[what[0] % len(puts)], 16)
            elif kind == "pack":
                pack_small_files(target(lake_place, 1))
        assert held(lake_place) == expected(puts)


def target(lake_place: LakePlace, small_files: int) -> Target:
    table = load_table(open_catalog(lake_place.uri, lake_place.catalog_uri), "records")
    return Target(table, RECORDS, "pets", TARGET, time.monotonic() + 60, small_files)


def commit(lake_place: LakePlace, some: Put, small_files: int) -> None:
    commit_sources(target(lake_place, small_files), [TableRows(some.who, some.table())], some.who)
