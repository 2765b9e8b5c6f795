"""One suite over SQLite in a folder and Glue on S3: what a table holds after commits, one by one and at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from pixlake import storage
from pixlake.errors import BadRequest, CommitConflict
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.commit import Target, commit_sources
from pixlake.iceberg.rows import TableRows
from pixlake.schemas import RECORDS
from tests.contract.commits import Put, data_files, expected, held, prediction, put, put_predictions, read
from tests.contract.places import LakePlace

LARGE = 256 << 20


def records(lake_place: LakePlace) -> Table:
    return load_table(open_catalog(lake_place.uri, lake_place.catalog_uri), "records")


def test_committed_rows_are_read_back_unchanged(lake_place: LakePlace) -> None:
    some = Put("first", 1, ("ü ", "a", "z\x00\x01", "z", "日本", "0017"))
    assert put(lake_place, some) == 6
    rows = sorted(read(lake_place, "records"), key=lambda row: row["record_id"])
    assert rows == some.table().sort_by("record_id").to_pylist()


@pytest.mark.parametrize("first_day", [1, 2, 3])
def test_the_newer_upload_wins_in_either_order_of_commits(lake_place: LakePlace, first_day: int) -> None:
    puts = [Put("first", first_day, ("a", "b", "c")), Put("second", 2, ("b", "c", "d"))]
    for some in puts:
        put(lake_place, some)
    assert held(lake_place) == expected(puts)


def test_experiments_do_not_touch_each_other(lake_place: LakePlace) -> None:
    puts = [Put("first", 1, ("a", "b")), Put("second", 2, ("a",), experiment="cars")]
    for some in puts:
        put(lake_place, some)
    assert held(lake_place) == expected(puts)
    assert len(held(lake_place)) == 3


def test_a_prediction_with_the_image_wins_in_either_order_of_commits(lake_place: LakePlace) -> None:
    seen, blind = "image+tabular", "tabular"
    put_predictions(lake_place, [prediction("1", None, seen, 1, "cat"), prediction("2", None, blind, 9, "dog")], "a")
    put_predictions(lake_place, [prediction("1", None, blind, 5, "no"), prediction("2", None, seen, 1, "cat")], "b")
    assert {row["record_id"]: row["label"] for row in read(lake_place, "predictions")} == {"1": "cat", "2": "cat"}


def test_predictions_of_orphans_are_keyed_by_their_image(lake_place: LakePlace) -> None:
    orphans = [prediction(None, path, "image", 1, "cat") for path in ("b.jpg", "a.jpg")]
    put_predictions(lake_place, [*orphans, prediction("a.jpg", None, "tabular", 1, "cat")], "a")
    put_predictions(lake_place, [prediction(None, "b.jpg", "image", 2, "dog")], "b")
    rows = {(row["record_id"], row["image_path"]): row["label"] for row in read(lake_place, "predictions")}
    assert rows == {(None, "a.jpg"): "cat", (None, "b.jpg"): "dog", ("a.jpg", None): "cat"}
    assert len(read(lake_place, "predictions")) == 3


def test_repeating_a_commit_changes_nothing(lake_place: LakePlace) -> None:
    put(lake_place, Put("first", 1, ("a", "b")))
    before = records(lake_place).metadata_location
    assert put(lake_place, Put("first", 1, ("a", "b"))) == 2
    assert records(lake_place).metadata_location == before


@pytest.mark.parametrize("expired", [False, True])
def test_repeating_an_old_commit_keeps_newer_rows(lake_place: LakePlace, expired: bool) -> None:
    old, new = Put("old", 1, ("a", "b", "c")), Put("new", 2, ("b",))
    put(lake_place, old)
    put(lake_place, new)
    if expired:
        table = records(lake_place)
        table.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
        assert len(records(lake_place).metadata.snapshots) == 1
    put(lake_place, old)
    assert held(lake_place) == expected([old, new])


def test_of_rows_with_the_same_key_in_one_commit_the_newest_is_kept(lake_place: LakePlace) -> None:
    rows = pa.concat_tables([Put("one", 1, ("a", "b")).table(), Put("two", 2, ("a",)).table()])
    assert commit_rows(open_catalog(lake_place.uri, lake_place.catalog_uri), "records", rows, "both") == 2
    assert held(lake_place) == {("pets", "a"): (2, "two"), ("pets", "b"): (1, "one")}


def test_a_commit_without_rows_makes_no_snapshot(lake_place: LakePlace) -> None:
    assert put(lake_place, Put("nobody", 1, ())) == 0
    assert records(lake_place).current_snapshot() is None


def test_only_files_that_lose_rows_are_rewritten(lake_place: LakePlace) -> None:
    put(lake_place, Put("first", 1, ("a", "b", "c")))
    (first,) = data_files(lake_place)
    put(lake_place, Put("second", 1, ("d", "e")))
    (second,) = set(data_files(lake_place)) - {first}
    put(lake_place, Put("third", 2, ("d",)))
    assert first in data_files(lake_place)
    assert second not in data_files(lake_place)
    assert len(data_files(lake_place)) == 3


def test_many_small_commits_are_packed_into_few_files(lake_place: LakePlace) -> None:
    table = records(lake_place)
    puts = [Put(f"n{number}", 1, (f"{number}", "same")) for number in range(6)]
    for some in puts:
        target = Target(table, RECORDS, "pets", LARGE, time.monotonic() + 60, small_files=3)
        commit_sources(target, [TableRows(some.who, some.table())], some.who)
    assert held(lake_place) == expected(puts)
    assert len(data_files(lake_place)) <= 4


class Meddling(TableRows):
    """Rows that let others commit while they are read for writing, after the commit was planned."""

    def __init__(self, rows: pa.Table, meddle: Callable[[], object]) -> None:
        super().__init__("meddling", rows)
        self.meddle = meddle
        self.writings = 0

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if "attributes" in columns:
            self.writings += 1
            self.meddle()
        yield from super().batches(columns)


def commit_meddled(lake_place: LakePlace, some: Put, meddle: Callable[[], object], seconds: float) -> Meddling:
    target = Target(records(lake_place), RECORDS, "pets", LARGE, time.monotonic() + seconds)
    source = Meddling(some.table(), meddle)
    commit_sources(target, [source], some.who)
    return source


@pytest.mark.parametrize("day", [1, 3])
@pytest.mark.parametrize("earlier", [(), ("a", "b", "q")])
def test_a_concurrent_commit_of_the_same_keys_is_merged(
    lake_place: LakePlace, day: int, earlier: tuple[str, ...]
) -> None:
    puts = [Put("earlier", 0, earlier), Put("meddler", day, ("b", "c")), Put("ours", 2, ("a", "b"))]
    put(lake_place, puts[0])
    first = iter([True])

    def meddle() -> None:
        if next(first, False):
            put(lake_place, puts[1])

    commit_meddled(lake_place, puts[2], meddle, 60)
    assert held(lake_place) == expected(puts)


def test_data_files_are_reused_after_a_conflict(lake_place: LakePlace) -> None:
    ours, others = Put("ours", 1, ("a", "b")), Put("others", 1, ("x",))
    source = commit_meddled(lake_place, ours, lambda: None if held(lake_place) else put(lake_place, others), 60)
    assert held(lake_place) == expected([ours, others])
    assert source.writings == 1


def test_conflicts_until_the_time_limit_raise_commit_conflict(lake_place: LakePlace) -> None:
    ids = tuple(f"{number:03d}" for number in range(200))
    taken = iter(ids)

    def meddle() -> None:
        record_id = next(taken)
        put(lake_place, Put(f"meddler {record_id}", 9, (record_id,)))

    with pytest.raises(CommitConflict, match=r"records.*attempts"):
        commit_meddled(lake_place, Put("ours", 5, ids), meddle, 0.5)
    assert "ours" not in {who for _, who in held(lake_place).values()}
    table = records(lake_place)
    scans = [table.scan(snapshot_id=snapshot.snapshot_id) for snapshot in table.metadata.snapshots]
    named = {task.file.file_path.rpartition("/")[2] for scan in scans for task in scan.plan_files()}
    found = {info.uri.rpartition("/")[2] for info in storage.list_objects(f"{table.location()}/data")}
    assert found == named


def test_rows_of_two_experiments_are_refused(lake_place: LakePlace) -> None:
    rows = pa.concat_tables([Put("one", 1, ("a",)).table(), Put("two", 1, ("b",), experiment="cars").table()])
    with pytest.raises(BadRequest, match="another experiment than 'pets'"):
        commit_rows(open_catalog(lake_place.uri, lake_place.catalog_uri), "records", rows, "both")
    assert held(lake_place) == {}


def test_a_commit_that_succeeded_though_answered_as_a_conflict_is_not_repeated(
    lake_place: LakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts = [Put("first", 1, ("a", "b")), Put("second", 2, ("b", "c"))]
    put(lake_place, puts[0])
    catalog = type(open_catalog(lake_place.uri, lake_place.catalog_uri))
    original, lost = catalog.commit_table, iter([True])

    def commit_table(*arguments: Any) -> Any:
        response = original(*arguments)
        if next(lost, False):
            raise CommitFailedException("the answer was lost, and the client asked again")
        return response

    monkeypatch.setattr(catalog, "commit_table", commit_table)
    put(lake_place, puts[1])
    assert held(lake_place) == expected(puts)
    assert len(records(lake_place).metadata.snapshots) == 2


def test_commits_of_many_threads_lose_no_row(lake_place: LakePlace) -> None:
    puts = [Put(f"n{n}", 10 + n, ("shared", f"pair {n // 2}", f"own {n}")) for n in range(5)]
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda some: put(lake_place, some), puts)) == [3] * 5
    assert held(lake_place) == expected(puts)
