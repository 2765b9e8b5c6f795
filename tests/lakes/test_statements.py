"""Athena's statements are in its dialect, and leave the rows that the function would leave."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from pixlake import parquet
from pixlake.errors import BadUpload, TooManyLost
from pixlake.iceberg.statements import write_statements
from pixlake.messages import CompactAnswer, Options, Run, TableStatements
from pixlake.parts.handover import MERGED
from pixlake.rejects import Reject
from pixlake.schemas import LINKS, PREDICTIONS, RECORDS, TableSchema
from pixlake.settings import Engine
from tests.builders.executions import START, Execution, TableLake, fill
from tests.builders.tables import Dictionary, Said, assert_agreement, tabulate
from tests.doubles.athena import Athena, open_athena

RUN = Run("it's", "pets", "s3://uploads/pets.zip", "0" * 16, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")


@pytest.fixture
def athena() -> Iterator[Athena]:
    with open_athena() as opened:
        yield opened


def written(schema: TableSchema, run: Run = RUN) -> TableStatements:
    return write_statements(schema, run, "s3://lake/", f"parts/{schema.name}")


def run_all(athena: Athena, answer: CompactAnswer) -> None:
    for table in answer.statements:
        for sql in (table.register, table.merge, table.keep, table.optimize, table.vacuum):
            athena.run(sql)


@pytest.mark.parametrize("schema", MERGED.values(), ids=MERGED.keys())
def test_statements_parse_in_athenas_dialect(schema: TableSchema) -> None:
    statements = written(schema)
    created = sqlglot.parse_one(statements.register, read="athena")
    assert isinstance(created, exp.Create)
    columns = [column.name for column in created.find_all(exp.ColumnDef)]
    parts = RECORDS if schema is LINKS else schema
    assert columns[: len(parts.columns)] == parts.columns.names
    merged = sqlglot.parse_one(statements.merge, read="athena")
    assert isinstance(merged, exp.Merge)
    assert merged.this.name == schema.name
    read = {table.name for table in merged.args["using"].find_all(exp.Table)}
    assert read - {"records", "links"} == {created.this.this.name}
    assert "execution = 'it''s'" in statements.merge
    assert isinstance(sqlglot.parse_one(statements.keep, read="athena"), exp.Alter)


def test_maintenance_statements_are_in_athenas_syntax() -> None:
    statements = written(MERGED["embeddings"])
    assert statements.optimize == "OPTIMIZE embeddings REWRITE DATA USING BIN_PACK WHERE experiment_id = 'pets'"
    assert statements.vacuum == "VACUUM embeddings"
    assert "'vacuum_max_snapshot_age_seconds' = '315360000'" in statements.keep


def test_the_external_tables_types_are_hives() -> None:
    register = {name: written(schema).register for name, schema in MERGED.items()}
    assert "`embedding` array<float>" in register["embeddings"]
    assert "`probabilities` map<string,double>" in register["predictions"]
    assert "`uploaded_at` timestamp" in register["records"]
    assert "'storage.location.template' = 's3://lake/work/${execution}/parts/records/'" in register["records"]
    assert "LOCATION 's3://lake/work/'" in register["records"]


def test_other_columns_make_another_external_table() -> None:
    changed = replace(PREDICTIONS, columns=PREDICTIONS.columns.append(pa.field("more", pa.string())))
    names = [re.findall(r"predictions_parts_\w{8}", written(schema).register)[0] for schema in (PREDICTIONS, changed)]
    assert names[0] != names[1]
    assert written(PREDICTIONS, replace_execution("other")).register == written(PREDICTIONS).register


def replace_execution(name: str) -> Run:
    return Run(name, "pets", RUN.upload_uri, RUN.upload_id, RUN.uploaded_at, RUN.started_at)


def test_athena_and_lambda_leave_the_same_rows(tmp_path: Path, athena: Athena) -> None:
    by_lambda = TableLake(tmp_path / "lambda")
    by_athena = TableLake(tmp_path / "athena")
    for number, day in enumerate([1, 3, 2]):
        for table_lake in (by_lambda, by_athena):
            execution = Execution(table_lake, f"run-{number}", day)
            fill(execution)
            execution.embed("embed-2", [f"day {day}.jpg", f"lost-{day}.jpg"], lost=day == 2)
            if table_lake is by_lambda:
                expected = execution.compact()
            else:
                answer = execution.compact(compaction_engine=Engine.ATHENA)
                run_all(athena, answer)
                again = ["records", "embeddings", "predictions"]
                assert [table.table for table in answer.statements] == [*MERGED, *again]
        assert counts(answer) == counts(expected)
    for name in MERGED:
        rows = sorted(by_lambda.rows(name), key=lambda row: [str(row[column] or "") for column in MERGED[name].key])
        assert comparable(athena.rows(name)) == comparable(rows), name
        assert by_athena.rows(name) == []


def counts(answer: CompactAnswer) -> tuple[int, ...]:
    return (
        answer.images,
        answer.records,
        answer.embedded,
        answer.predicted,
        answer.rejected,
        answer.lost_batches,
    )


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without an order, where keys have nulls."""
    return sorted(rows, key=str)


def test_statements_run_again_change_nothing(execution: Execution, athena: Athena) -> None:
    fill(execution)
    answer = execution.compact(compaction_engine=Engine.ATHENA)
    run_all(athena, answer)
    before = {name: athena.rows(name) for name in MERGED}
    assert [len(rows) for rows in before.values()] == [0, 4, 4, 6, 1]
    run_all(athena, answer)
    assert {name: athena.rows(name) for name in MERGED} == before


def test_too_many_lost_batches_write_no_statements(execution: Execution) -> None:
    execution.embed("embed-0", ["a.jpg"], lost=True)
    with pytest.raises(TooManyLost):
        execution.compact(compaction_engine=Engine.ATHENA)


def test_an_upload_of_nothing_but_rejects(execution: Execution, athena: Athena) -> None:
    execution.reject("plan", "plan", Reject('it\'s "bad".jpg', "plan", "damaged", "It is cut short."))
    run_all(athena, execution.compact(compaction_engine=Engine.ATHENA))
    assert [row["source"] for row in athena.rows("rejects")] == ['it\'s "bad".jpg']


@pytest.mark.parametrize("seed", range(8))
def test_the_newest_row_by_precedence_wins_in_any_order(table_lake: TableLake, athena: Athena, seed: int) -> None:
    """Against a dictionary: keys with nulls and empty texts, modality before time, ties to who comes later."""
    chance = random.Random(seed)
    expected: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    for number in range(5):
        execution = Execution(table_lake, f"run-{number}")
        rows = [prediction(chance, f"m@{number}-{index}") for index in range(12)]
        parquet.write_part(execution.work.part("predictions", "one"), PREDICTIONS, as_table(rows))
        run = execution.request.run
        statements = write_statements(PREDICTIONS, run, table_lake.uri, "parts/predictions")
        athena.run(statements.register)
        athena.run(statements.merge)
        apply(expected, rows)
    found = {(row["record_id"], row["image_path"]): row for row in athena.rows("predictions")}
    assert len(found) == len(athena.rows("predictions"))
    assert found.keys() == expected.keys()
    assert {key: rank(row) for key, row in found.items()} == {key: rank(row) for key, row in expected.items()}
    assert {key: row["model"].partition("-")[0] for key, row in found.items()} == {
        key: row["model"].partition("-")[0] for key, row in expected.items()
    }


def prediction(chance: random.Random, model: str) -> dict[str, Any]:
    row = dict.fromkeys(PREDICTIONS.columns.names)
    moment = START.replace(day=chance.randint(1, 3))
    return row | {
        "experiment_id": "pets",
        "record_id": chance.choice([None, "", "=", "1"]),
        "image_path": chance.choice([None, "", "a.jpg"]),
        "probabilities": [("cat", 0.25), ("dog", 0.75)],
        "modality": chance.choice(["image+tabular", "tabular", "image"]),
        "model": model,
        "uploaded_at": moment,
        "processed_at": moment,
    }


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=PREDICTIONS.columns)


def rank(row: dict[str, Any]) -> tuple[bool, Any]:
    return row["modality"] == "image+tabular", row["uploaded_at"]


def apply(expected: dict[tuple[str | None, str | None], dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        key = row["record_id"], row["image_path"]
        if key not in expected or rank(row) >= rank(expected[key]):
            expected[key] = row


SEQUENCES = {
    "corrections": [
        Said(1, {"a": ["p"], "b": ["q", "s"]}, ["r"]),
        Said(2, {"a": [], "b": []}),
        Said(3, orphans=["p"]),
        Said(4, {"b": ["p"], "c": ["r"]}, classified=False),
    ],
    "older ones late": [
        Said(5, {"b": ["p"]}, ["q"]),
        Said(3, {"a": ["p", "q"], "b": ["r"]}, by_image=False),
        Said(1, {"b": []}, ["p", "r"]),
        Said(5, {"b": ["p"]}, ["q"]),
    ],
}


@pytest.mark.parametrize("uploads", SEQUENCES.values(), ids=SEQUENCES)
def test_athena_leaves_what_a_dictionary_leaves(tmp_path: Path, athena: Athena, uploads: list[Said]) -> None:
    table_lake, model = TableLake(tmp_path), Dictionary()
    for number, said in enumerate(uploads):
        execution = Execution(table_lake, f"run-{number}", said.day)
        execution.say(said)
        run_all(athena, execution.compact(compaction_engine=Engine.ATHENA))
        model.add(said)
        found = {name: athena.rows(name) for name in ("records", "embeddings", "predictions")}
        assert_agreement(found)
        assert tabulate(found) == model.tables()


def test_athena_refuses_an_upload_older_than_a_complete_one(execution: Execution, table_lake: TableLake) -> None:
    complete = Execution(table_lake, "complete", day=2, options=Options(complete=True))
    complete.records("00000", ["1"])
    complete.compact()
    fill(execution)
    with pytest.raises(BadUpload, match=r"complete upload at 2026-01-03.*older") as refusal:
        execution.compact(compaction_engine=Engine.ATHENA)
    assert refusal.value.reason == "older_than_complete"


def test_a_record_whose_image_was_deleted_gets_no_earlier_one(athena: Athena, execution: Execution) -> None:
    execution.records("00000", ["a"], a=["r.jpg"])
    execution.embed("embed-0", ["r.jpg"])
    answer = execution.compact(compaction_engine=Engine.ATHENA)
    later = "TIMESTAMPTZ '2026-06-01 00:00:00Z'"
    athena.connection.execute(f"INSERT INTO links VALUES ('pets', '', 'a', 0, {later}, {later})")
    run_all(athena, answer)
    assert [(row["has_image"], row["image_paths"]) for row in athena.rows("records")] == [(False, [])]
    assert [row["record_id"] for row in athena.rows("embeddings")] == [None]
