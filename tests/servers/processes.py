"""Programs that are made once, in a folder outside of the project, and run on loopback for the length of a block."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pixlake-tests"


class NotHere(Exception):
    """A program that cannot be had on this machine; the message says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(command: Sequence[str], port: int, log: Path, settings: Mapping[str, str]) -> Iterator[int]:
    """The id of a server's process once it listens, with these variables, or all of ours; ended after the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=settings or None
        )
    try:
        wait_for(port, process, log)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 120
    while True:
        assert process.poll() is None, f"{process.args!r} ended: {log.read_text()[-2000:]}"
        with closing(socket.socket()) as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        assert time.monotonic() < until, f"{process.args!r} does not listen: {log.read_text()[-2000:]}"
        time.sleep(0.05)
