"""The interpreter's surroundings; what it does is in tests/workflow."""

import os
import sys
from typing import Any

import pytest

from pixlake_cli.engine import interpreter

PASSING = '{"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": true}}}'


def test_the_users_account_and_proxies_are_hidden_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("MINE", "1")
    before = dict(os.environ)
    with interpreter.isolated_environment("http://127.0.0.1:1"):
        assert not {"AWS_PROFILE", "HTTPS_PROXY"} & set(os.environ)
        assert os.environ["AWS_ENDPOINT_URL_LAMBDA"] == os.environ["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:1"
        assert os.environ["MINE"] == "1"
    assert dict(os.environ) == before


def test_a_definition_that_moto_refuses_raises_and_leaves_nothing_running() -> None:
    before, batch = dict(os.environ), sys.modules.get("moto.batch")
    with (
        pytest.raises(Exception, match="CreateStateMachine"),
        interpreter.Interpreter("ingest", "{}", "http://127.0.0.1:1"),
    ):
        pass
    assert dict(os.environ) == before
    assert sys.modules.get("moto.batch") is batch


def test_a_definition_is_parsed_once_for_all_executions(monkeypatch: pytest.MonkeyPatch) -> None:
    with interpreter.Interpreter("ingest", PASSING, "http://127.0.0.1:1") as running:
        from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser

        parse, parsed = ASLParser.state_machine, []

        def count(parser: Any) -> Any:
            parsed.append(parser)
            return parse(parser)  # type: ignore[no-untyped-call]

        monkeypatch.setattr(ASLParser, "state_machine", count)
        outcomes = [running.execute(name, {"at": name}) for name in ("first", "second")]
    assert [(outcome.status, outcome.output) for outcome in outcomes] == [
        ("SUCCEEDED", {"at": "first"}),
        ("SUCCEEDED", {"at": "second"}),
    ]
    assert parsed == []
