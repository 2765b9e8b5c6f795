"""Confined processes from the side that asks them: started, asked, timed, ended.

A nursery (`nursery`) is started once and forks them from itself. It ends with this process, however that ends: the
nursery's socket closes then.
"""

import atexit
import ctypes
import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import calcsize, pack, unpack
from typing import Any, Generic, TypeVar

from pixlake.confined import wire
from pixlake.confined.wire import Answer
from pixlake.errors import BadInput, TransientError

_log = logging.getLogger(__name__)

_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""Of the environment, what Python may need to start: a confined process gets no credentials."""
# One thread, one heap: more reserve address space, which is limited. So do Arrow's own allocators.
_SINGLE = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
# What a job took goes back to the system: glibc's own thresholds grow with what was freed, and keep half of a gigabyte.
_RETURNED = {"MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}
_LONGEST_TEXT = 64 << 10
_PAGE = resource.getpagesize()


class Died(TransientError):
    """The process ended within a job, or answered what none answers."""


class TooSlow(BadInput):
    """The process took more than its seconds for a job."""


class Confined:
    """One confined process and the socket to it; for one thread at a time."""

    work = "strangers' bytes are read"
    """What is done with it, in a warning's words."""

    def __init__(self, process: int, connection: socket.socket) -> None:
        self.process, self._connection = process, connection
        self._clock = _cpu_clock(process)
        self._limit = 0
        self._greeted = False

    def limit_memory(self, size: int) -> None:
        """Let it have so many bytes of address space, where the platform can."""
        if size != self._limit and hasattr(resource, "prlimit"):
            with suppress(OSError):  # it ended; whoever asks it, hears so
                resource.prlimit(self.process, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
        self._limit = size

    def memory(self) -> tuple[int, int]:
        """Bytes of its address space, and of those the resident ones; none where the platform does not tell."""
        with suppress(OSError):
            size, resident = Path(f"/proc/{self.process}/statm").read_text().split()[:2]
            return int(size) * _PAGE, int(resident) * _PAGE
        return 0, 0

    def watch(self, seconds: float, patience: float) -> "Watch":
        """From now on it has so many seconds of a core; by the clock `patience` times as many."""
        return Watch(self._clock, seconds, patience)

    def send(self, data: bytes | memoryview, watch: "Watch") -> None:
        """Raises OSError where the process is gone, and TooSlow."""
        left = memoryview(data)
        while left:
            self._connection.settimeout(watch.check())
            with suppress(TimeoutError):
                left = left[self._connection.send(left) :]

    def receive_answer(self, most: int, watch: "Watch", longest: int = _LONGEST_TEXT) -> Answer:
        """The next answer, of at most so many bytes, and of text. Raises Died, OSError, ValueError and TooSlow."""
        while True:
            kind, text, data = unpack(wire.ANSWER, self._receive(calcsize(wire.ANSWER), watch))
            if text > longest or data > most:
                raise Died("it answered at more length than asked for")
            answer = Answer(kind, json.loads(self._receive(text, watch) or "null"), self._receive(data, watch))
            if answer.kind != wire.READY:
                return answer
            self._greet(answer.text)

    def close(self) -> None:
        self._connection.close()

    def _greet(self, missing: object) -> None:
        if isinstance(missing, list) and missing and not self._greeted:
            _warn_once(f"{self.work} with {' and '.join(map(str, missing))} on this platform")
        self._greeted = True

    def _receive(self, size: int, watch: "Watch") -> bytearray:
        data = bytearray(size)
        left = memoryview(data)
        while left:
            self._connection.settimeout(watch.check())
            with suppress(TimeoutError):
                count = self._connection.recv_into(left)
                if not count:
                    raise Died("it ended")
                left = left[count:]
        return data


class Watch:
    """The time that one job takes."""

    def __init__(self, clock: Callable[[], float], seconds: float, patience: float) -> None:
        self._clock, self._seconds, self._most = clock, seconds, patience * seconds
        self._before, self._begun = clock(), time.monotonic()
        self.used = 0.0
        """Seconds of a core, when last looked at."""

    def check(self) -> float:
        """Seconds after which to look again; TooSlow where there are none left."""
        self.used = self._clock() - self._before
        left = self._seconds - self.used
        if left <= 0 or time.monotonic() - self._begun > self._most:
            raise TooSlow
        return max(left, 0.01)


def _cpu_clock(process: int) -> Callable[[], float]:
    """The seconds of a core that a process has used; of the clock where the platform does not tell."""
    found, libc = ctypes.c_int(), ctypes.CDLL(None)
    if not hasattr(libc, "clock_getcpuclockid") or libc.clock_getcpuclockid(process, ctypes.byref(found)):
        return time.monotonic
    return lambda: _read_clock(found.value)


def _read_clock(clock: int) -> float:
    with suppress(OSError):
        return time.clock_gettime(clock)
    return 0.0  # the process has ended, and its socket says so


C = TypeVar("C", bound=Confined)


class Processes(Generic[C]):
    """A nursery, whose `main` is in `module`, and of the processes forked from it those that are not at work.

    `kind` is how one is asked.
    """

    def __init__(self, module: str, kind: Callable[[int, socket.socket], C]) -> None:
        self._module, self._kind = module, kind
        self._lock = threading.Lock()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._asked: socket.socket | None = None
        self._idle: list[C] = []

    def start(self) -> None:
        """Have a nursery, without waiting until it is ready."""
        with self._lock:
            if self._nursery is None:
                self._start()

    def take(self) -> C:
        """One that is idle, or a new one."""
        with suppress(IndexError):
            return self._idle.pop()
        return self.fork()

    def fork(self, *, prepared: bool = False) -> C:
        """A new one. Where the nursery has ended, there is a new one of that too."""
        with self._lock:
            if self._nursery is not None:
                with suppress(OSError):
                    return self._fork(prepared)
                self._end()
            self._start()
            try:
                return self._fork(prepared)
            except OSError as error:
                self._end()
                raise RuntimeError("no confined process starts; what it said is above") from error

    def give_back(self, one: C) -> None:
        """It waits for its next job."""
        self._idle.append(one)

    def end(self, one: C) -> str:
        """End one; how it had ended, in words."""
        one.close()
        with self._lock, suppress(OSError):
            return _describe(self._request(wire.KILL, one.process))
        return "it ended with the process that started it"

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        paths = [path for path in sys.path if path]
        program = f"import sys; sys.path[:] = {paths!r}; from {self._module} import main; main({theirs.fileno()})"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with theirs:
            self._nursery = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**_SINGLE, **_RETURNED, **kept},
                start_new_session=True,  # a terminal's Ctrl-C is for this process to handle
            )
        self._asked = ours

    def _fork(self, prepared: bool) -> C:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                what = wire.FORK_PREPARED if prepared else wire.FORK
                return self._kind(self._request(what, 0, theirs), ours)
            except OSError:
                ours.close()
                raise

    def _request(self, what: bytes, process: int, *files: socket.socket) -> int:
        """The nursery's answer; OSError where it has ended."""
        if self._asked is None:
            raise ConnectionError("there is no nursery")
        request = pack(wire.REQUEST, what, process)
        socket.send_fds(self._asked, [request], [file.fileno() for file in files])
        reply = wire.receive(self._asked, calcsize(wire.REPLY))
        if len(reply) < calcsize(wire.REPLY):
            raise ConnectionError("the nursery has ended")
        return int(unpack(wire.REPLY, reply)[0])

    def _end(self) -> None:
        idle, self._idle = self._idle, []
        for each in idle:
            each.close()
        if self._asked:
            self._asked.close()
        if self._nursery:
            self._nursery.wait()
        self._asked = self._nursery = None


def _describe(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"it ended by {signal.Signals(number).name}"
    return f"it ended with the status {os.waitstatus_to_exitcode(status)}"


_shared: dict[str, Processes[Any]] = {}
_warned: set[str] = set()


def shared_processes(module: str, kind: Callable[[int, socket.socket], C]) -> Processes[C]:
    """Those that all of this process uses; a child that it forks has others."""
    found: Processes[C] = _shared.setdefault(module, Processes(module, kind))
    return found


def _close_all() -> None:
    for each in _shared.values():
        each.close()


def _warn_once(words: str) -> None:
    if words not in _warned:
        _warned.add(words)
        _log.warning(words)


atexit.register(_close_all)
os.register_at_fork(after_in_child=_shared.clear)
