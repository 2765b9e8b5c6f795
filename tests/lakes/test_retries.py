"""A retry through Plan, Split and Compact: what it runs, and what it leaves in the tables."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import pyarrow.parquet as pq
import pytest

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake.messages import Batch, CompactAnswer, CompactRequest, Options, PlanAnswer, RetryRequest, SplitRequest
from pixlake.rejects import Reject
from pixlake.settings import CompactSettings, Engine, PlanSettings, SplitSettings
from pixlake.steps.compact import compact
from pixlake.steps.plan import plan
from pixlake.steps.split import split
from tests.builders.executions import Execution, TableLake
from tests.doubles.athena import open_athena


@dataclass
class Retry:
    """A retry of the execution `earlier`; whoever infers takes its batches' rows as they are."""

    lake: TableLake
    earlier: str = "run"
    name: str = "again"
    day: int = 1

    @property
    def work(self) -> Execution:
        return Execution(self.lake, self.name, self.day)

    def plan(self) -> PlanAnswer:
        return plan(RetryRequest(self.name, "2026-02-01T00:00:00Z", self.earlier), PlanSettings(self.lake.uri))

    def split(self, batch_rows: int = 1_024) -> list[Batch]:
        planned = self.plan()
        request = SplitRequest(planned.run, planned.options, planned.shards)
        self.answer = split(request, SplitSettings(self.lake.uri, batch_rows))
        return msgspec.json.decode(storage.read(self.work.work.batches), type=list[Batch])

    def rows(self, batch: Batch, column: str) -> list[str]:
        with storage.Reader(self.work.work.batch(batch.batch_id)) as source:
            found: list[str] = pq.read_table(source)[column].to_pylist()
        return found

    def compact(self, engine: Engine = Engine.LAMBDA) -> CompactAnswer:
        planned = self.plan()
        request = CompactRequest(planned.run, self.answer, planned.options)
        return compact(request, replace(self.lake.settings, compaction_engine=engine))

    def run(self) -> CompactAnswer:
        for batch in self.split():
            if batch.task == "embed":
                self.work.embedded(batch.batch_id, self.rows(batch, "image_path"))
            else:
                self.work.predicted(batch.batch_id, self.rows(batch, "record_id"))
        return self.compact()


@pytest.fixture
def retry(table_lake: TableLake) -> Retry:
    return Retry(table_lake)


def lose(execution: Execution) -> None:
    """An execution that lost one batch of each kind, and has a reject that stays."""
    execution.embed("embed-0", ["a.jpg"])
    execution.embed("embed-1", ["b.jpg", "c.jpg"], lost=True)
    execution.classify("classify-0", ["1"])
    execution.classify("classify-1", ["2", "3"], lost=True)
    execution.records("00000", ["1", "2", "3"])
    execution.reject("extract", "000000", Reject("x.jpg", "extract", "crc_mismatch", "It is damaged."))
    execution.compact()


def keys(lake: TableLake) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    return (
        sorted(row["image_path"] for row in lake.rows("embeddings")),
        sorted(row["record_id"] for row in lake.rows("predictions")),
        sorted((row["source"], row["reason"]) for row in lake.rows("rejects")),
    )


def test_what_was_lost_is_in_the_tables_and_its_rejects_are_gone(
    execution: Execution, table_lake: TableLake, retry: Retry
) -> None:
    lose(execution)
    records = table_lake.rows("records")
    answer = retry.run()
    assert keys(table_lake) == (["a.jpg", "b.jpg", "c.jpg"], ["1", "2", "3"], [("x.jpg", "crc_mismatch")])
    assert (answer.embedded, answer.predicted, answer.records, answer.rejected) == (2, 2, 0, 0)
    assert (answer.images, table_lake.rows("records")) == (2, records)
    assert {row["uploaded_at"] for row in table_lake.rows("embeddings")} == {execution.when}


def test_a_second_retry_changes_nothing(execution: Execution, table_lake: TableLake, retry: Retry) -> None:
    lose(execution)
    retry.run()
    before = {name: table_lake.rows(name) for name in ("embeddings", "predictions", "rejects")}
    Retry(table_lake, name="third").run()
    assert {name: table_lake.rows(name) for name in before} == before


def test_a_newer_upload_in_between_stays(execution: Execution, table_lake: TableLake, retry: Retry) -> None:
    lose(execution)
    newer = Execution(table_lake, "newer", day=2)
    newer.embed("embed-0", ["b.jpg"])
    newer.compact()
    retry.run()
    days = {row["image_path"]: row["uploaded_at"] for row in table_lake.rows("embeddings")}
    assert days == {"a.jpg": execution.when, "b.jpg": newer.when, "c.jpg": execution.when}


def test_nothing_comes_back_after_a_complete_upload(execution: Execution, table_lake: TableLake, retry: Retry) -> None:
    lose(execution)
    newer = Execution(table_lake, "newer", day=2, options=Options(complete=True))
    newer.embed("embed-0", ["d.jpg"])
    newer.compact()
    retry.run()
    assert keys(table_lake)[:2] == (["d.jpg"], [])


def test_a_batch_that_is_lost_again_keeps_its_rejects(
    execution: Execution, table_lake: TableLake, retry: Retry
) -> None:
    lose(execution)
    embed, _ = retry.split()
    retry.work.embedded(embed.batch_id, retry.rows(embed, "image_path"))
    assert retry.compact().lost_batches == 1
    lost = [("2", "batch_lost"), ("3", "batch_lost")]
    assert keys(table_lake) == (["a.jpg", "b.jpg", "c.jpg"], ["1"], [*lost, ("x.jpg", "crc_mismatch")])
    Retry(table_lake, earlier="again", name="third").run()
    assert keys(table_lake)[1:] == (["1", "2", "3"], [("x.jpg", "crc_mismatch")])


@pytest.mark.parametrize("reason", ["too_slow", "decoder_killed"])
def test_images_that_were_rejected_for_what_may_pass_are_run_again(
    execution: Execution, table_lake: TableLake, retry: Retry, reason: str
) -> None:
    execution.embed("embed-0", ["a.jpg", "b.jpg", "c.jpg"])
    slow = Reject("b.jpg", "embed", reason, "Its decoder was stopped.")
    execution.reject("embed", "embed-0", slow, Reject("c.jpg", "embed", "damaged", "It is cut short."))
    execution.compact()
    (batch,) = retry.split()
    assert (batch.count, retry.rows(batch, "image_path")) == (1, ["b.jpg"])
    retry.run()
    assert keys(table_lake)[2] == [("c.jpg", "damaged")]


def test_a_record_is_predicted_again_with_the_image_that_may_pass(
    execution: Execution, table_lake: TableLake, retry: Retry
) -> None:
    execution.classify("classify-0", ["1", "2"])
    slow = Reject("1.jpg", "classify", "too_slow", "Its decoder was stopped.")
    missing = Reject("2", "classify", "missing_image", "None of the record's images can be used.")
    execution.reject("classify", "classify-0", slow, missing)
    execution.compact()
    (batch,) = retry.split()
    assert retry.rows(batch, "record_id") == ["2"]
    retry.run()
    assert keys(table_lake)[2] == []


def test_batches_are_cut_anew_within_the_limits(execution: Execution, retry: Retry) -> None:
    for number in range(4):
        execution.embed(f"embed-{number}", [f"{number}-{place}.jpg" for place in range(3)], lost=number > 1)
    execution.compact()
    batches = retry.split(batch_rows=4)
    assert [(batch.batch_id, batch.count) for batch in batches] == [("embed-000000", 3), ("embed-000001", 3)]


def test_nothing_to_run_again_is_said(execution: Execution, retry: Retry) -> None:
    execution.embed("embed-0", ["a.jpg"])
    execution.compact()
    assert retry.split() == []
    (warning,) = retry.answer.warnings
    assert warning.startswith("run lost nothing")
    assert retry.compact().embedded == 0


def on_athena(lake: TableLake) -> CompactSettings:
    return replace(lake.settings, compaction_engine=Engine.ATHENA)


def test_athena_deletes_the_rejects_that_hold_no_longer(execution: Execution, retry: Retry) -> None:
    lose(execution)
    embed, _ = retry.split()
    retry.work.embedded(embed.batch_id, retry.rows(embed, "image_path"))
    *_, last = retry.compact(Engine.ATHENA).statements
    assert last.table == "rejects"
    assert last.merge.endswith("WHEN MATCHED THEN DELETE")
    with storage.Reader(retry.work.work.withdrawn_rejects) as source:
        rows = pq.read_table(source).to_pylist()
    assert [(row["source"], row["reason"]) for row in rows] == [("b.jpg", "batch_lost"), ("c.jpg", "batch_lost")]


def test_the_statements_leave_athenas_rejects_that_hold(execution: Execution, retry: Retry) -> None:
    lose(execution)
    with open_athena() as athena:
        for table in compact(execution.request, on_athena(retry.lake)).statements:
            athena.run(table.register)
            athena.run(table.merge)
        assert len(athena.rows("rejects")) == 5
        embed, _ = retry.split()
        retry.work.embedded(embed.batch_id, retry.rows(embed, "image_path"))
        for table in retry.compact(Engine.ATHENA).statements:
            athena.run(table.register)
            athena.run(table.merge)
        left = [(row["source"], row["reason"]) for row in athena.rows("rejects")]
        assert left == [("2", "batch_lost"), ("3", "batch_lost"), ("x.jpg", "crc_mismatch")]


def _nothing(_: Execution) -> None:
    pass


def _begun(execution: Execution) -> None:
    execution.embed("embed-0", ["a.jpg"])


@pytest.mark.parametrize(
    ("leave", "name", "said"),
    [
        (_nothing, "run", "files are deleted after WorkDays"),
        (_begun, "run", "has not committed its rows.*redrive"),
        (_nothing, "../elsewhere", "use 1 to 100 letters"),
    ],
)
def test_what_cannot_be_retried_says_why(
    execution: Execution, table_lake: TableLake, leave: Callable[[Execution], None], name: str, said: str
) -> None:
    leave(execution)
    with pytest.raises(BadRequest, match=said):
        Retry(table_lake, earlier=name).plan()
