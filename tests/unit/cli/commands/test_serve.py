"""`pixlake serve`, as a process of its own on a free port of the loopback address."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.galleries import fill

_PATIENCE = 120


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("served"))))


@contextmanager
def serving(lake: Lake) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, once it is healthy."""
    command = [Path(sys.executable).with_name("pixlake"), "serve", "--lake", str(lake.folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            found = re.match(r"(http://127\.0\.0\.1:\d+)/ serves ", process.stderr.readline())
            assert found
            assert ask(f"{found[1]}/health")["status"] == "ok"
            yield process, found[1]
        finally:
            process.kill()


def ask(address: str, body: bytes | None = None, kind: str = "application/json") -> Any:
    request = urllib.request.Request(address, body, {"Content-Type": kind} if body else {})
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
        return json.load(answer)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
def test_it_answers_until_it_is_told_to_end(lake: Lake, number: signal.Signals, code: int) -> None:
    assert lake.folder
    with serving(lake) as (process, address):
        red = (lake.folder / "images/of/red.png").read_bytes()
        assert ask(f"{address}/search?n=1", red, "image/png")[0]["image_path"] == "of/red.png"
        assert ask(f"{address}/search", b'{"text": "red"}')
        # one that is slow to send its request keeps neither others waiting nor the server from ending
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as slow:
            slow.sendall(b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
            assert ask(f"{address}/classify", red, "image/png")["label"] == "red"
            process.send_signal(number)
            assert process.wait(_PATIENCE) == code
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_and_a_lake_that_is_not_there_are_said(lake: Lake, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--lake", lake.folder, "--port", port)
    assert result.exit_code == 2
    assert f"cannot listen at 127.0.0.1, port {port}: {os.strerror(98)}" in result.stderr
    result = run("serve", "--lake", tmp_path / "none")
    assert result.exit_code == 1
    assert "holds no lake yet" in result.stderr
