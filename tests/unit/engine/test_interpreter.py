"""The interpreter's surroundings; what it does is in tests/workflow."""

import os
import sys

import pytest

from pixlake_cli.engine import interpreter


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
