"""Forks workers from itself, so that what the functions import is imported once: most of a worker's start.

The engine starts it with one end of a socket and asks for workers over that; it ends with the engine, and its workers
with it. It has no thread, for it imports and does nothing else: a fork would lose its threads, and keep their locks.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from struct import pack
from typing import Any, NoReturn

from pixlake_cli.engine.worker import work

LONGEST = 1 << 20
FILES = 3
NUMBER = "i"


@dataclass(frozen=True)
class Request:
    """A worker to be forked. `imports` are modules that its function imports; `files` are the descriptors of its
    standard input, its log, and the socket that tells the engine of it."""

    folder: str
    handler: str
    environment: dict[str, str]
    imports: list[str]
    files: tuple[int, int, int]


class Server:
    """Answers requests until the engine ends; then its workers are killed."""

    def __init__(self, engine: socket.socket) -> None:
        self._engine = engine
        self._selector = selectors.DefaultSelector()
        self._selector.register(engine, selectors.EVENT_READ)
        self._ended, self._signalled = socket.socketpair()
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._told: dict[int, socket.socket] = {}
        self._signalled.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)

    def serve(self) -> Request | None:
        """In each worker its request; in the server itself None, at its end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._ended:
                    self._ended.recv(LONGEST)
                    self._reap()
                elif key.data is not None:
                    self._kill(key.data)
                elif (request := self._receive()) is None:
                    for pid in self._told:
                        os.kill(pid, signal.SIGKILL)
                    return None
                elif self._fork(request):
                    return request

    def _receive(self) -> Request | None:
        message, files, *_ = socket.recv_fds(self._engine, LONGEST, FILES)
        if not message:
            return None
        values: dict[str, Any] = json.loads(message)
        stdin, log, told = files
        return Request(**values, files=(stdin, log, told))

    def _fork(self, request: Request) -> bool:
        """Whether this is the worker."""
        for name in request.imports:
            # the worker meets the same error, and reports it
            with suppress(Exception):
                importlib.import_module(name)
        gc.freeze()
        if not (pid := os.fork()):
            self._leave()
            return True
        *given, told = request.files
        for number in given:
            os.close(number)
        self._told[pid] = socket.socket(fileno=told)
        self._selector.register(self._told[pid], selectors.EVENT_READ, data=pid)
        self._tell(pid, pid)
        return False

    def _leave(self) -> None:
        """In a worker: give up what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._engine, self._ended, self._signalled, *self._told.values()):
            each.close()

    def _tell(self, pid: int, number: int) -> None:
        with suppress(OSError):
            self._told[pid].send(pack(NUMBER, number))

    def _kill(self, pid: int) -> None:
        """The engine wants no more of it. Until `_reap` has it, its id is no other process's."""
        if pid in self._told:
            self._selector.unregister(self._told[pid])
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._told:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            self._tell(pid, os.waitstatus_to_exitcode(status))
            with suppress(KeyError):
                self._selector.unregister(self._told[pid])
            self._told.pop(pid).close()


def become(request: Request) -> NoReturn:
    """Be the worker, as if it had been started by itself."""
    stdin, log, told = request.files
    os.setsid()
    for number, descriptor in ((0, stdin), (1, log), (2, log)):
        os.dup2(descriptor, number)
    for descriptor in (stdin, log, told):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    os.chdir(request.folder)
    sys.path[:0] = request.environment["PYTHONPATH"].split(os.pathsep)
    sys.argv[1:] = [request.handler]
    gc.enable()
    work()
    sys.exit()


if __name__ == "__main__":
    gc.disable()
    with socket.socket(fileno=int(sys.argv[1])) as engine:
        forked = Server(engine).serve()
    if forked is not None:
        become(forked)
