"""Athena's saved queries are in its dialect, name only tables and columns that exist, and run."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pixlake.schemas import TABLES
from pixlake.sql.dialect import translate
from tests.project import saved_queries

EARLIER = " earlier"
Resources = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def queries(template: dict[str, Any]) -> dict[str, str]:
    found = saved_queries(template)
    assert len(found) >= 6
    return found


def run(sql: str, rows: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """The answer of one saved query over tables that hold `rows`, its parameters filled with 'x'; `EARLIER` in a
    table's name says what it held at an earlier time."""
    statement = translate(sql.replace("?", "'x'"), list(TABLES))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for read in statement.reads:
            held = rows.get(read.name + (EARLIER if read.kind else ""), [])
            table = pa.Table.from_pylist(held, schema=nullable(TABLES[read.name].columns))
            connection.register(read.view, table)
        return connection.execute(statement.sql).fetchall()


def nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def test_every_query_runs_on_the_tables_as_they_are(queries: dict[str, str]) -> None:
    for sql in queries.values():
        assert run(sql, {}) == []


def test_every_query_is_of_one_experiment_and_says_its_parameters(resources: Resources) -> None:
    for name, query in resources("AWS::Athena::NamedQuery").items():
        parameters = query["Description"].rstrip(".").rpartition(": ")[2].split(", ")
        assert len(parameters) == query["QueryString"].count("?"), name
        assert "experiment_id" in parameters, name


def test_the_nearest_images_come_first(queries: dict[str, str]) -> None:
    def image(path: str, *embedding: float) -> dict[str, Any]:
        return {"experiment_id": "x", "model": "m@1", "image_path": path, "embedding": list(embedding)}

    rows = [image("x", 1, 0), image("far", 0, 1), image("near", 0.8, 0.6), image("opposite", -1, 0)]
    answer = run(queries["NearestImagesQuery"], {"embeddings": rows})
    assert [(row[0], round(row[-1], 6)) for row in answer] == [("near", 0.8), ("far", 0.0), ("opposite", -1.0)]


def test_disagreement_needs_a_label_in_the_table(queries: dict[str, str]) -> None:
    records = [
        {"experiment_id": "x", "record_id": "1", "attributes": [("x", "cat")]},
        {"experiment_id": "x", "record_id": "2", "attributes": [("x", "dog")]},
        {"experiment_id": "x", "record_id": "3", "attributes": [("other", "dog")]},
    ]
    predictions = [{"experiment_id": "x", "record_id": str(n), "label": "cat", "score": 0.5} for n in (1, 2, 3)]
    answer = run(queries["DisagreementQuery"], {"records": records, "predictions": predictions})
    assert [row[:3] for row in answer] == [("2", "dog", "cat")]


def test_changed_images_are_found_by_time_travel(queries: dict[str, str]) -> None:
    def prediction(record_id: str, label: str, modality: str) -> dict[str, Any]:
        return {"experiment_id": "x", "record_id": record_id, "label": label, "score": 0.5, "modality": modality}

    now = [prediction(number, "cat", "image+tabular") for number in ("1", "2")] + [prediction("3", "cat", "tabular")]
    before = [
        prediction("1", "dog", "tabular"),
        prediction("2", "cat", "tabular"),
        prediction("3", "dog", "tabular"),
    ]
    answer = run(queries["WithAndWithoutImageQuery"], {"predictions": now, "predictions" + EARLIER: before})
    assert answer == [("1", "dog", 0.5, "cat", 0.5)]


def test_records_without_image_are_of_one_experiment(queries: dict[str, str]) -> None:
    records = [
        {"experiment_id": experiment, "record_id": record_id, "has_image": has_image, "attributes": [("Age", "3")]}
        for experiment, record_id, has_image in (
            ("x", "2", False),
            ("x", "1", False),
            ("x", "3", True),
            ("y", "4", False),
        )
    ]
    answer = run(queries["WithoutImageQuery"], {"records": records})
    assert [row[0] for row in answer] == ["1", "2"]


def test_rejects_are_counted_by_reason_with_an_example(queries: dict[str, str]) -> None:
    rejects = [
        {"experiment_id": "x", "source": source, "stage": stage, "reason": reason, "detail": f"of {source}"}
        for source, stage, reason in (
            ("b.jpg", "embed", "damaged"),
            ("a.jpg", "embed", "damaged"),
            ("pets.csv:7", "split", "no_id"),
        )
    ]
    answer = run(queries["RejectsQuery"], {"rejects": rejects})
    assert answer == [
        ("embed", "damaged", 2, "a.jpg", "of a.jpg"),
        ("split", "no_id", 1, "pets.csv:7", "of pets.csv:7"),
    ]


def test_labels_are_counted_by_day(queries: dict[str, str]) -> None:
    predictions = [
        {"experiment_id": "x", "label": label, "score": score, "modality": "tabular", "uploaded_at": uploaded_at}
        for label, score, uploaded_at in (
            ("cat", 0.5, datetime(2026, 1, 1, 23, 59, tzinfo=UTC)),
            ("cat", 1.0, datetime(2026, 1, 1, 0, 0, tzinfo=UTC)),
            ("dog", 1.0, datetime(2026, 1, 1, 12, 0, tzinfo=UTC)),
            ("dog", 0.25, datetime(2026, 1, 2, 0, 0, tzinfo=UTC)),
        )
    ]
    answer = run(queries["LabelsQuery"], {"predictions": predictions})
    assert answer == [
        (date(2026, 1, 1), "tabular", "cat", 2, 0.75),
        (date(2026, 1, 1), "tabular", "dog", 1, 1.0),
        (date(2026, 1, 2), "tabular", "dog", 1, 0.25),
    ]
