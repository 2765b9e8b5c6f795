"""Every invocation leaves a line in the log that names its execution; counts become metrics."""

import io
import json
import logging
import runpy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pixlake.errors import BadRequest
from pixlake.handler import SERVICE, Handler, instrumented
from pixlake.messages import CompactAnswer, CompactRequest, ItemList, Run, SplitAnswer, plain
from pixlake.steps.compact import LAST_ATTEMPT
from tests.project import ROOT

Lines = Callable[[], list[dict[str, Any]]]

CONTEXT = SimpleNamespace(
    function_name="pixlake-EmbedFunction", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
)


@instrumented("rows")
def embed(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    if "refuse" in event:
        raise BadRequest("no such thing")
    return {"rows": 3, "batch_id": "embed-000001"}


@instrumented()
def plan(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    return {}


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What the log has got since it was last asked for."""
    stream = io.StringIO()
    (log,) = logging.getLogger(SERVICE).handlers
    assert isinstance(log, logging.StreamHandler)
    before = log.setStream(stream)

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (stream.getvalue() + capsys.readouterr().out).splitlines()]
        stream.seek(0)
        stream.truncate()
        return found

    yield read
    log.setStream(before)


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (embed, {"run": {"execution_id": "x"}}),
        (plan, {"execution_id": "x"}),
        (plan, {"detail": {"name": "x", "status": "FAILED"}}),
    ],
)
def test_a_line_names_the_execution(handler: Handler, event: dict[str, Any], lines: Lines) -> None:
    answer = handler(event, CONTEXT)
    line = lines()[0]
    assert (line["message"], line["correlation_id"], line["answer"]) == ("done", "x", answer)


def test_a_child_of_a_map_names_its_item(lines: Lines) -> None:
    embed({"run": {"execution_id": "x"}, "batch": {"batch_id": "embed-000007"}}, CONTEXT)
    assert lines()[0]["batch_id"] == "embed-000007"


def test_counts_are_metrics_of_the_function(lines: Lines) -> None:
    embed({}, CONTEXT)
    metric = lines()[1]
    assert metric["rows"] == [3.0]
    assert metric["function"] == "pixlake-EmbedFunction"
    (directive,) = metric["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], sorted(directive["Dimensions"][0])) == ("Pixlake", ["function", "service"])
    plan({}, CONTEXT)
    assert len(lines()) == 1


@pytest.mark.parametrize("batch", [{"batch_id": "embed-000007"}, "embed-000007", None])
def test_an_error_is_logged_and_raised_unchanged(batch: Any, lines: Lines) -> None:
    with pytest.raises(BadRequest, match="no such thing"):
        embed({"run": {"execution_id": "x"}, "batch": batch, "refuse": True}, CONTEXT)
    (line,) = lines()
    assert (line["level"], line["error"], line["correlation_id"]) == ("ERROR", "BadRequest", "x")


def test_a_log_line_names_the_current_execution_after_another(lines: Lines) -> None:
    plan({"execution_id": "x"}, CONTEXT)
    plan({}, CONTEXT)
    assert lines()[1].get("correlation_id") is None


def test_compact_retries_within_the_time_that_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI", "file:///lake")
    monkeypatch.setenv("CATALOG_URI", "glue://pets")
    given: list[Any] = []

    def compact(*arguments: Any) -> CompactAnswer:
        given.extend(arguments)
        return CompactAnswer(0, 0, 0, 0, 0, 0)

    monkeypatch.setattr("pixlake.steps.compact.compact", compact)
    app = runpy.run_path(str(ROOT / "functions/compact/app.py"))
    run = Run("x", "pets", "file:///a.zip", "0" * 16, "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z")
    request = CompactRequest(run, SplitAnswer(ItemList("", 0), 0, 0, 0, 0, 0, {}, None, ""))
    context = SimpleNamespace(**vars(CONTEXT), get_remaining_time_in_millis=lambda: 300_000)
    app["handler"](plain(request), context)
    assert given == [request, app["SETTINGS"], 300 - LAST_ATTEMPT]
