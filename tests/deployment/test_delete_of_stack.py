"""What is deleted from the lake of a stack: a condition is asked of its Athena, what runs of its Step Functions."""

import json
import os
from collections.abc import Iterator
from urllib.request import Request, urlopen

import boto3
import pytest
import sqlglot
from sqlglot.expressions import Query

from pixlake.iceberg.lakes import Lake
from pixlake.sql.images import select_subjects
from tests.builders.commands import run
from tests.builders.model_lakes import rows
from tests.builders.zoo import fill
from tests.deployment.smallstacks import LAKE, NAME, SmallStack, open_small_stack

COLUMNS = ["experiment_id", "image_path", "record_id"]


@pytest.fixture(scope="module")
def stack() -> Iterator[SmallStack]:
    with open_small_stack() as opened:
        yield opened


@pytest.fixture
def lake(stack: SmallStack) -> Lake:  # noqa: ARG001
    return fill(Lake.at(f"s3://{LAKE}"))


def answer(rows: list[list[str | None]]) -> None:
    """What Athena answers next."""
    cells = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
    names = [{"Data": [{"VarCharValue": name} for name in COLUMNS]}]
    result = {"rows": [*names, *cells], "column_info": []}
    body = {"account_id": "123456789012", "region": os.environ["AWS_REGION"], "results": [result]}
    url = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/static/athena/query-results"
    urlopen(Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})).close()


def delete(*arguments: str) -> tuple[int, str]:
    result = run("delete", *arguments, "--stack", NAME, "--region", os.environ["AWS_REGION"], "--json")
    return result.exit_code, result.output


def test_a_condition_is_asked_of_athena_and_what_it_finds_is_deleted(lake: Lake) -> None:
    answer([["zoo", "lion.png", "lion"], ["zoo", "car.png", None]])
    code, said = delete("--experiment", "zoo", "--where", "label = 'animal'", "--yes")
    assert code == 0, said
    assert [row["image_path"] for row in rows(lake, "embeddings")] == ["cat.png"]
    assert [row["record_id"] for row in rows(lake, "predictions")] == ["cat"]
    athena = boto3.client("athena")
    (query,) = athena.list_query_executions()["QueryExecutionIds"]
    asked = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    assert asked["Query"] == select_subjects("zoo", "label = 'animal'")
    assert asked["QueryExecutionContext"] == {"Database": "pixlake"}
    parsed = sqlglot.parse_one(asked["Query"], read="athena")
    assert isinstance(parsed, Query)
    assert parsed.named_selects == ["experiment_id", "image_path", "record_id"]


def test_nothing_that_a_condition_finds_is_an_error(lake: Lake) -> None:
    answer([])
    code, said = delete("--where", "false", "--yes")
    assert (code, "holds nothing for which the condition is true" in said) == (1, True)
    assert len(rows(lake, "embeddings")) == 3


@pytest.mark.parametrize("what", [["--image", "cat.png"], []])
def test_while_an_execution_of_the_experiment_runs_nothing_is_deleted(
    stack: SmallStack, lake: Lake, what: list[str]
) -> None:
    name = stack.start("uploads/zoo/slow.zip")
    code, said = delete("--experiment", "zoo", *what, "--yes")
    assert (code, f"the execution {name} of zoo runs" in said) == (2, True), said
    assert len(rows(lake, "embeddings")) == 3
    stack.stop(name)
    code, said = delete("--experiment", "zoo", *what, "--yes")
    assert code == 0, said
    assert json.loads(said.partition("\n")[0])["deleted"] is True


def test_a_condition_on_a_bucket_alone_names_the_stack_as_the_way(lake: Lake) -> None:
    result = run("delete", "--where", "true", "--lake", lake.uri)
    assert (result.exit_code, "say --stack NAME" in result.stderr) == (2, True)
