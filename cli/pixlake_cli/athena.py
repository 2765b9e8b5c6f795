"""A question to Athena in the workgroup of a stack, and its answer row by row. Its file of results is not kept."""

import time
from collections.abc import Iterator
from typing import Any

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake_cli.stacks import Stack, describe_stack, told

_PAUSE = 0.5  # seconds between two looks at a query
_ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


def ask(stack: Stack, sql: str) -> Iterator[tuple[str | None, ...]]:
    """The rows of the answer, as texts, null for none. Billed by what the query reads.

    Raises BadRequest with Athena's words where the query fails, AccessDenied where it may not be asked.
    """
    with told(f"stack {stack.name}"):
        group = describe_stack(stack.name, stack.client).outputs.get("WorkGroup")
        if group is None:
            raise BadRequest(f"the stack {stack.name} has no output WorkGroup, whose Athena a condition is asked of")
        athena = stack.client("athena")
        database = stack.lake.catalog_uri.removeprefix("glue://")
        started = athena.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": database}, WorkGroup=group
        )
        result = _wait(athena, started["QueryExecutionId"])
        pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=started["QueryExecutionId"])
        rows = (row for page in pages for row in page["ResultSet"]["Rows"])
        next(rows, None)  # the names of the columns
        for row in rows:
            yield tuple(cell.get("VarCharValue") for cell in row["Data"])
    if result.startswith(f"{stack.lake.uri}/"):
        storage.delete([result, f"{result}.metadata"])


def _wait(athena: Any, query: str) -> str:
    """Wait for a query's end; the URI of its result, empty where Athena keeps it itself."""
    while True:
        execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        status = execution["Status"]
        if status["State"] in _ENDED:
            break
        time.sleep(_PAUSE)
    if status["State"] != "SUCCEEDED":
        raise BadRequest(f"Athena: {status.get('StateChangeReason') or status['State']}")
    return str(execution.get("ResultConfiguration", {}).get("OutputLocation", ""))
