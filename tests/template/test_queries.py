"""Athena's saved queries are in its dialect, name only tables and columns that exist, and run."""

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pixlake.schemas import TABLES
from pixlake_cli.dialect import translate

Resources = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def queries(template: dict[str, Any]) -> dict[str, str]:
    found = {
        name: resource["Properties"]["QueryString"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Athena::NamedQuery"
    }
    assert len(found) >= 6
    return found


def run(sql: str, rows: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """The answer of one saved query over tables that hold `rows`, its parameters filled with 'x'."""
    statement = translate(sql.replace("?", "'x'"), list(TABLES))
    with duckdb.connect() as connection:
        for read in statement.reads:
            table = pa.Table.from_pylist(rows.get(read.name, []), schema=nullable(TABLES[read.name].columns))
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


def test_nearest_images_come_first(queries: dict[str, str]) -> None:
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
