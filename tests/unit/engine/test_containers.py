"""What SAM answers, and what is missing for it, in words."""

import json
from pathlib import Path

import pytest

from pixlake.errors import BadRequest
from pixlake_cli.engine import containers


def error_of(body: bytes, status: int = 200) -> str:
    answer = containers._answer(status, body)
    assert answer.failed
    error: str = json.loads(answer.payload)["errorType"]
    return error


def test_an_answer_of_sam_is_returned_as_it_is() -> None:
    answer = containers._answer(200, b'{"rows": 3, "error": null}')
    assert (answer.payload, answer.failed) == (b'{"rows": 3, "error": null}', False)


def test_an_error_keeps_its_name_though_sam_does_not_mark_it() -> None:
    assert (
        error_of(b'{"errorMessage": "no", "errorType": "BadUpload", "requestId": "1", "stackTrace": []}') == "BadUpload"
    )


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"Task timed out after 3.00 seconds", "Sandbox.Timedout"),
        (200, b"", "Runtime.ExitError"),
        (500, b'{"Type": "Service"}', "Runtime.ExitError"),
    ],
)
def test_no_answer_is_the_error_that_lambda_gives(status: int, body: bytes, error: str) -> None:
    assert error_of(body, status) == error


def program(folder: Path, name: str, status: int) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


def test_a_missing_prerequisite_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadRequest, match="needs a checkout"):
        containers._check(tmp_path)
    (tmp_path / "samconfig.toml").touch()
    with pytest.raises(BadRequest, match="Docker engine"):
        containers._check(tmp_path)
    program(tmp_path, "docker", 1)
    with pytest.raises(BadRequest, match="Docker engine"):
        containers._check(tmp_path)
    program(tmp_path, "docker", 0)
    with pytest.raises(BadRequest, match="make sam"):
        containers._check(tmp_path)
    program(tmp_path, "sam", 0)
    with pytest.raises(BadRequest, match="make build"):
        containers._check(tmp_path)
    built = tmp_path / containers.BUILT
    built.mkdir(parents=True)
    (built / "template.yaml").touch()
    assert containers._check(tmp_path) == str(tmp_path / "sam")
