"""Parts become rows, lost batches become rejects, and a second run changes nothing."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadUpload, TooManyLost
from pixlake.experiments import Experiment, keep_experiment, read_experiment
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.commit import COMMIT_ID
from pixlake.messages import CompactAnswer, CompactRequest, Effect, Options, parse
from pixlake.rejects import Reject
from pixlake.schemas import TABLES
from pixlake.settings import Engine
from tests.builders.executions import MODEL, Execution, TableLake, fill
from tests.project import read_event


def test_the_answer_counts_what_is_in_the_tables(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    answer = execution.compact()
    effects = {"records": Effect(new=4), "embeddings": Effect(new=4), "predictions": Effect(new=6)}
    assert answer == CompactAnswer(7, 4, 4, 6, 1, lost_batches=0, effects=effects, with_image=4)
    assert [row["image_path"] for row in table_lake.rows("embeddings")] == ["a.jpg", "b.jpg", "c.jpg", "ü #1 100%.jpg"]
    predicted = [(row["record_id"], row["image_path"]) for row in table_lake.rows("predictions")]
    assert predicted == [(None, "0.jpg"), (None, "1.jpg"), *((str(number), None) for number in range(1, 5))]
    assert [row["record_id"] for row in table_lake.rows("records")] == ["1", "2", "3", "4"]
    (reject,) = table_lake.rows("rejects")
    assert (reject["source"], reject["reason"], reject["uploaded_at"]) == ("x.jpg", "damaged", execution.when)


def test_a_second_run_changes_nothing(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    first = execution.compact()
    catalog = open_catalog(table_lake.uri, table_lake.catalog_uri)
    before = {name: load_table(catalog, name).metadata_location for name in TABLES}
    assert execution.compact() == first
    assert {name: load_table(catalog, name).metadata_location for name in TABLES} == before


def test_the_same_upload_in_another_execution_adds_nothing(execution: Execution, table_lake: TableLake) -> None:
    again = Execution(table_lake, "again")
    for some in (execution, again):
        fill(some)
        some.compact()
    summaries = load_table(open_catalog(table_lake.uri, table_lake.catalog_uri), "embeddings").metadata.snapshots
    assert len(summaries) == 1
    assert summaries[0].summary is not None
    assert summaries[0].summary[COMMIT_ID]


@pytest.mark.parametrize("stage", ["embed", "classify"])
def test_a_record_has_an_image_only_where_one_can_be_decoded(
    execution: Execution, table_lake: TableLake, stage: str
) -> None:
    execution.models = {"embedder": MODEL} if stage == "embed" else {}
    execution.records("00000", ["a", "b", "c", "d"], a=["1", "2"], b=["3"], c=["4"])
    execution.reject(
        stage,
        f"{stage}-0",
        Reject("1", stage, "truncated", ""),
        Reject("3", stage, "not_an_image", ""),
        Reject("4", stage, "too_slow", "which a retry may decode"),
    )
    execution.reject("split", "00000", Reject("2", "split", "image_taken", ""))
    execution.reject("classify", "classify-1", Reject("4", "classify", "bad_prediction", "of a record of that name"))
    answer = execution.compact()
    assert answer.with_image == 2
    found = {row["record_id"]: (row["has_image"], row["image_paths"]) for row in table_lake.rows("records")}
    assert found == {"a": (True, ["2"]), "b": (False, []), "c": (True, ["4"]), "d": (False, [])}
    assert {(row["image_path"], row["record_id"]) for row in table_lake.rows("links")} == {("2", "a"), ("4", "c")}
    assert execution.compact() == answer


def test_athena_is_handed_records_without_images_that_cannot_be_decoded(execution: Execution) -> None:
    execution.records("00000", ["a"], a=["1"])
    execution.reject("embed", "embed-0", Reject("1", "embed", "truncated", ""))
    assert execution.compact(compaction_engine=Engine.ATHENA).with_image == 0
    rows = pq.read_table(execution.work.part("records", "00000").removeprefix("file://")).to_pylist()
    assert [(row["has_image"], row["image_paths"]) for row in rows] == [(False, [])]


@pytest.mark.parametrize("reason", ["too_slow", "decoder_killed"])
def test_the_same_upload_again_brings_an_image_that_was_rejected_for_what_may_pass(
    execution: Execution, table_lake: TableLake, reason: str
) -> None:
    execution.embed("embed-0", ["a.jpg"])
    execution.reject("embed", "embed-0", Reject("b.jpg", "embed", reason, "Its decoder was stopped."))
    execution.compact()
    again = Execution(table_lake, "again")
    again.embed("embed-0", ["a.jpg", "b.jpg"])
    assert again.compact().effects["embeddings"].new == 1
    assert [row["image_path"] for row in table_lake.rows("embeddings")] == ["a.jpg", "b.jpg"]


def test_a_newer_upload_replaces_its_rows_alone(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    newer = Execution(table_lake, "newer", day=2)
    newer.embed("embed-0", ["b.jpg"])
    newer.compact()
    execution.compact()
    days = {row["image_path"]: row["uploaded_at"] for row in table_lake.rows("embeddings")}
    assert days == dict.fromkeys(["a.jpg", "c.jpg", "ü #1 100%.jpg"], execution.when) | {"b.jpg": newer.when}


def test_rows_of_lost_batches_are_rejects(execution: Execution, table_lake: TableLake) -> None:
    execution.embed("embed-0", ["a.jpg"])
    execution.embed("embed-1", ["b.jpg", "c.jpg"], lost=True)
    execution.classify("classify-0", ["1"])
    execution.classify("classify-1", ["2", None], lost=True)
    execution.reject("embed", "embed-1", Reject("b.jpg", "embed", "damaged", "Told before the batch was lost."))
    answer = execution.compact()
    assert (answer.lost_batches, answer.embedded, answer.predicted, answer.rejected) == (2, 1, 1, 4)
    found = {(row["source"], row["stage"], row["reason"]) for row in table_lake.rows("rejects")}
    embed = {("b.jpg", "embed", "batch_lost"), ("c.jpg", "embed", "batch_lost")}
    assert found == embed | {("2", "classify", "batch_lost"), ("1.jpg", "classify", "batch_lost")}


def test_batches_of_the_autogluon_container_are_compacted_too(execution: Execution, table_lake: TableLake) -> None:
    execution.classify("classify-0", ["1"], task="classify_autogluon")
    execution.classify("classify-1", ["2"], lost=True, task="classify_autogluon")
    execution.reject("classify_autogluon", "classify-0", Reject("9.jpg", "classify", "damaged", "It stays."))
    execution.reject("classify_autogluon", "classify-1", Reject("8.jpg", "classify", "damaged", "It is told again."))
    answer = execution.compact(tolerated_lost_percent=50)
    assert (answer.lost_batches, answer.predicted) == (1, 1)
    found = {(row["source"], row["stage"], row["reason"]) for row in table_lake.rows("rejects")}
    assert found == {("9.jpg", "classify", "damaged"), ("2", "classify", "batch_lost")}


def test_more_lost_batches_than_tolerated_commit_nothing(execution: Execution, table_lake: TableLake) -> None:
    execution.embed("embed-0", ["a.jpg"])
    execution.embed("embed-1", ["b.jpg"], lost=True)
    execution.records("00000", ["1"])
    with pytest.raises(TooManyLost, match=r"1 of 2 batches.*embed-1"):
        execution.compact(tolerated_lost_percent=49.9)
    assert not any(table_lake.rows(name) for name in TABLES)


def test_a_part_without_rows_is_not_lost(execution: Execution) -> None:
    execution.embed("embed-0", [])
    answer = execution.compact(tolerated_lost_percent=0.0)
    assert (answer.embedded, answer.lost_batches) == (0, 0)


def test_the_same_reject_from_two_steps_is_one_row(execution: Execution, table_lake: TableLake) -> None:
    for part, detail in (("0", "First."), ("1", "Second.")):
        execution.reject("extract", part, Reject("x.jpg", "extract", "damaged", detail))
    assert execution.compact().rejected == 1
    assert [row["detail"] for row in table_lake.rows("rejects")] == ["Second."]


def test_other_options_give_another_commit_id(execution: Execution) -> None:
    from pixlake.steps.compact import commit_id

    request = execution.request
    other = CompactRequest(request.run, request.split, Options(image_column="photo"))
    assert commit_id(request, [], "records") != commit_id(other, [], "records")
    assert commit_id(request, [], "records") != commit_id(request, [], "rejects")


def test_the_event_is_a_request() -> None:
    parse(read_event("compact"), CompactRequest)


def test_the_id_column_is_kept_before_anything_is_committed(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    keep_experiment(table_lake.uri, "pets", Experiment("name", "other.zip"))
    with pytest.raises(BadUpload, match=r"keyed by 'name' since other\.zip, and this upload by 'id'"):
        execution.compact()
    assert table_lake.rows("records") == table_lake.rows("embeddings") == []


def test_an_execution_that_loses_too_much_leaves_no_id_column(execution: Execution, table_lake: TableLake) -> None:
    execution.embed("embed-0", ["a.jpg"], lost=True)
    with pytest.raises(TooManyLost):
        execution.compact()
    assert read_experiment(table_lake.uri, "pets") is None


def test_the_first_upload_decides_and_the_same_again_agrees(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    for _ in range(2):
        execution.compact()
        assert read_experiment(table_lake.uri, "pets") == Experiment("id", "file:///pets.zip")


def complete(execution: Execution) -> Execution:
    return replace(execution, options=Options(complete=True))


def test_a_complete_upload_replaces_the_experiment(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    execution.compact()
    newer = complete(Execution(table_lake, "newer", day=2))
    newer.embed("embed-0", ["b.jpg"])
    newer.records("00000", ["1"])
    answer = newer.compact()
    assert answer.effects["embeddings"] == Effect(unchanged=1, removed=3)
    assert answer.effects["predictions"] == Effect(removed=6)
    assert [row["record_id"] for row in table_lake.rows("records")] == ["1"]
    assert [row["image_path"] for row in table_lake.rows("embeddings")] == ["b.jpg"]
    assert table_lake.rows("predictions") == []
    older = Execution(table_lake, "older", day=0)
    older.embed("embed-0", ["a.jpg", "b.jpg"])
    assert older.compact().effects["embeddings"] == Effect(older=2)
    assert [row["image_path"] for row in table_lake.rows("embeddings")] == ["b.jpg"]


def test_a_complete_upload_with_a_lost_batch_commits_nothing(execution: Execution, table_lake: TableLake) -> None:
    fill(execution)
    execution.compact()
    newer = complete(Execution(table_lake, "newer", day=2))
    newer.embed("embed-0", ["a.jpg"])
    newer.embed("embed-1", ["b.jpg"], lost=True)
    with pytest.raises(TooManyLost, match=r"1 of 2 batches"):
        newer.compact(tolerated_lost_percent=99.0)
    assert len(table_lake.rows("embeddings")) == 4


def test_athena_refuses_a_complete_upload(execution: Execution) -> None:
    fill(execution)
    with pytest.raises(BadUpload, match="CompactionEngine") as refusal:
        complete(execution).compact(compaction_engine=Engine.ATHENA)
    assert refusal.value.reason == "complete_on_athena"
