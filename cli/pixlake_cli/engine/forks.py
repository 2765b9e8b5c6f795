"""Workers forked from a process that has what functions import (`forkserver`), from the engine's side.

On Linux alone: elsewhere libraries of the system do not survive a fork.
"""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from struct import calcsize, unpack

from pixlake_cli.engine.forkserver import NUMBER
from pixlake_cli.engine.template import Function

SUPPORTED = sys.platform == "linux"
# pyarrow's allocator has a thread of its own otherwise
_THREADLESS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_STEP = re.compile(r"^from (pixlake\.steps\.\w+) import", re.MULTILINE)


class Forked:
    """A worker, as `subprocess.Popen` shows a process; `pid` is 0 until it begins."""

    def __init__(self, connection: socket.socket) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self._connection = connection
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        """How it ended, once another thread has waited for that."""
        return self.returncode

    def wait(self) -> int:
        """How it ended; as if killed, where the fork server ended before it."""
        with self._reading:
            if self.returncode is None:
                self.pid = self._receive() or 0
                code = self._receive()
                self.returncode = -9 if code is None else code
                self._connection.close()
            return self.returncode

    def kill(self) -> None:
        with suppress(OSError):
            self._connection.send(b"k")

    def _receive(self) -> int | None:
        size = calcsize(NUMBER)
        with suppress(ConnectionError):
            data = self._connection.recv(size, socket.MSG_WAITALL)
            return int(unpack(NUMBER, data)[0]) if len(data) == size else None
        return None


class ForkServer:
    """Started with the first worker, and again where it has ended."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**environment, **_THREADLESS}
        self._lock = threading.Lock()
        self._asked: socket.socket | None = None

    def fork(
        self, function: Function, environment: Mapping[str, str], stdin: int, log: int, *, imports: Sequence[str]
    ) -> Forked:
        """A worker for `function`; it begins when the server has imported `imports`."""
        values = {
            "folder": str(function.folder),
            "handler": function.handler,
            "environment": dict(environment),
            "imports": list(imports),
        }
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            message, files = json.dumps(values).encode(), [stdin, log, theirs.fileno()]
            try:
                socket.send_fds(self._asked or self._start(), [message], files)
            except OSError:
                socket.send_fds(self._start(), [message], files)
        return Forked(ours)

    def close(self) -> None:
        """End it, and all workers."""
        with self._lock:
            if self._asked is not None:
                self._asked.close()
                self._asked = None

    def _start(self) -> socket.socket:
        if self._asked is not None:
            self._asked.close()
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pixlake_cli.engine.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=self._environment,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name=f"forkserver-{process.pid}", daemon=True).start()
        return self._asked


def find_steps(function: Function) -> list[str]:
    """The modules of `pixlake.steps` that a function's `app.py` imports, for the fork server to import before."""
    app = function.folder / "app.py"
    return _STEP.findall(app.read_text("utf-8")) if app.is_file() else []
