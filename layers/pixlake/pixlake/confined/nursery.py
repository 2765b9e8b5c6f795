"""A small process that confined ones are forked from: no thread and no secret is in it.

`processes` starts it with an empty environment, and asks it over a socket. It ends with the process that asked, and its
own with it.
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from struct import calcsize, pack, unpack
from typing import NoReturn

from pixlake.confined.confinement import confine, die_with_parent
from pixlake.confined.wire import FORK_PREPARED, KILL, READY, REPLY, REQUEST, send_answer

Serve = Callable[[socket.socket], None]
"""Answers jobs until the socket closes."""
Missing = Callable[[str], None]
"""Is told what module a job would import: it can open no file."""


@dataclass
class Nursery:
    """Forks processes that `serve`; `prepare` is called once, before the first that is asked for as prepared."""

    serve: Serve
    prepare: Callable[[], object] = lambda: None
    missing: Missing = lambda _: None
    _forked: set[int] = field(default_factory=set)

    def run(self, number: int) -> None:
        """Do as asked over the socket of this number until it closes."""
        gc.freeze()
        with socket.socket(fileno=number) as asked:
            while True:
                request, files, _, _ = socket.recv_fds(asked, calcsize(REQUEST), 1)
                if len(request) < calcsize(REQUEST):
                    break
                asked.sendall(pack(REPLY, self._do(request, files, asked)))
        for each in self._forked:
            os.kill(each, signal.SIGKILL)

    def _do(self, request: bytes, files: list[int], asked: socket.socket) -> int:
        what, process = unpack(REQUEST, request)
        if what == KILL:
            self._forked.remove(process)
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1]
        if what == FORK_PREPARED:
            self.prepare()
        if not (process := os.fork()):
            self._live(files[0], asked)
        os.close(files[0])
        self._forked.add(process)
        return int(process)

    def _live(self, number: int, asked: socket.socket) -> NoReturn:
        """What a confined process does, from its fork to its end."""
        try:
            die_with_parent()
            asked.close()
            os.dup2(0, 2)  # what libraries say of their input
            sys.meta_path[:] = [_NoImports(self.missing)]
            with socket.socket(fileno=number) as connection:
                send_answer(connection, READY, confine(number))
                self.serve(connection)
        finally:
            os._exit(1)


class _NoImports:
    """Finds nothing."""

    def __init__(self, missing: Missing) -> None:
        self._missing = missing

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        self._missing(name)
        return None
