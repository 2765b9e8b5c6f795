"""`pixlake serve` as a process of its own."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixlake.iceberg.lakes import Lake

PATIENCE = 120
"""Seconds."""


@contextmanager
def serving(lake: Lake) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, on a free port of the loopback address, and its address, once it is healthy."""
    program = str(Path(sys.executable).with_name("pixlake"))
    command = [program, "serve", "--lake", str(lake.folder), "--port", "0"]
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
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)
