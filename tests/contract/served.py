"""A lake's folder as functions in containers reach it: the engine's store behind its relay, in a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixlake_cli.engine import relay
from pixlake_cli.engine.filestore import SOCKET, FileStore
from pixlake_cli.engine.gluetables import GlueTables


@contextmanager
def serving(lake: Path) -> Iterator[str]:
    """The endpoint at which the folder is reached."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"TMPDIR": str(lake.parent)}
    command = [sys.executable, "-m", "tests.contract.served", str(lake), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        secret = process.stdout.readline().strip()
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/{secret}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _serve(lake: Path, port: int) -> None:
    store = FileStore(lake, GlueTables(lake / "catalog.db"))
    print(store.secret, flush=True)
    asyncio.run(relay.serve(str(store.folder / SOCKET), "127.0.0.1", port))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
