"""`pixlake serve`, as a process of its own on a free port of the loopback address."""

import os
import signal
import socket
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.galleries import fill
from tests.builders.servers import PATIENCE, ask, serving


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("served"))))


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
            assert process.wait(PATIENCE) == code
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
