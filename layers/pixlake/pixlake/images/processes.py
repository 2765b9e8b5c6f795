"""The processes that decode, from the side of the one that has images: started, asked, timed, ended.

A nursery (`nursery`) is started once and forks decoders from itself. It ends with this process, however that ends: the
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
from dataclasses import dataclass
from struct import calcsize, pack, unpack
from typing import Any

from pixlake.errors import BadInput, TransientError
from pixlake.images import wire
from pixlake.images.decoding import MAX_SIDE

_log = logging.getLogger(__name__)

_KEPT = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""Of the environment, what Python may need to start: a decoder gets no credentials."""
# One thread, one heap: more reserve address space, which is limited.
_SINGLE = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
_LONGEST_TEXT = 64 << 10
# By the clock an image may take so many times its seconds of a core: others may be using the core.
_PATIENCE = 8


class Died(TransientError):
    """The decoder ended within a job, or answered what no decoder answers."""


class TooSlow(BadInput):
    """The decoder took more than its seconds for a job."""


@dataclass(frozen=True)
class Wanted:
    """The pixels that a job is for: just so many, at most so many, or none."""

    width: int
    height: int
    exact: bool = True

    @property
    def most(self) -> int:
        """Bytes."""
        return self.width * self.height * wire.CHANNELS

    def takes(self, width: int, height: int, size: int) -> bool:
        """Whether an answer of `size` bytes is one to the job."""
        if not self.most:
            return size == 0
        if self.exact and (width, height) != (self.width, self.height):
            return False
        return 0 < width <= self.width and 0 < height <= self.height and size == width * height * wire.CHANNELS


@dataclass(frozen=True)
class Answer:
    """One of `wire`'s kinds, its text parsed, its pixels."""

    kind: bytes
    text: Any
    pixels: bytearray


class Decoder:
    """One decoder's process and the socket to it; for one thread at a time."""

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

    def ask(self, job: bytes, data: bytes, wanted: Wanted, seconds: float, turn: Callable[[int], None]) -> Answer:
        """The answer to a job. `turn` waits until a large image, of so many pixels,
        may be decoded. Raises Died and TooSlow; the decoder is then to be ended."""
        watch, turned = _Watch(self._clock, seconds), False
        try:
            self._send(pack(wire.JOB, len(job), len(data)) + job, watch)
            self._send(data, watch)
            while (answer := self._receive_answer(wanted.most, watch)).kind in (wire.READY, wire.TURN_WANTED):
                if answer.kind == wire.READY:
                    self._greet(answer.text)
                    continue
                if turned or not isinstance(answer.text, int):
                    raise Died("it asked for its turn as no decoder does")
                turn(answer.text)
                turned = True
                watch = _Watch(self._clock, seconds)
                self._send(wire.TURN, watch)
            _check(answer, wanted)
            return answer
        except (OSError, ValueError) as error:
            raise Died(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def _greet(self, missing: object) -> None:
        if missing and not self._greeted:
            _warn_once(str(missing))
        self._greeted = True

    def _send(self, data: bytes, watch: "_Watch") -> None:
        left = memoryview(data)
        while left:
            self._connection.settimeout(watch.check())
            with suppress(TimeoutError):
                left = left[self._connection.send(left) :]

    def _receive_answer(self, most: int, watch: "_Watch") -> Answer:
        kind, text, pixels = unpack(wire.ANSWER, self._receive(calcsize(wire.ANSWER), watch))
        if text > _LONGEST_TEXT or pixels > most:
            raise Died("it answered at more length than asked for")
        return Answer(kind, json.loads(self._receive(text, watch) or "null"), self._receive(pixels, watch))

    def _receive(self, size: int, watch: "_Watch") -> bytearray:
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


def _check(answer: Answer, wanted: Wanted) -> None:
    """ValueError for what no decoder answers."""
    match answer:
        case Answer(kind=wire.PIXELS, text=[int(), int(), int(), int()]):
            width, height, across, down = answer.text
            sound = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE
            if not (sound and wanted.takes(across, down, len(answer.pixels))):
                raise ValueError(f"it answered {len(answer.pixels)} bytes for pixels of {answer.text}")
        case Answer(kind=wire.REJECT, text=[str(), str()]) | Answer(kind=wire.NUMPY_WANTED):
            pass
        case _:
            raise ValueError("it answered what no decoder answers")


class _Watch:
    """The time that one job takes."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._used, self._begun = clock(), time.monotonic()

    def check(self) -> float:
        """Seconds after which to look again; TooSlow where there are none left."""
        left = self._seconds - (self._clock() - self._used)
        if left <= 0 or time.monotonic() - self._begun > _PATIENCE * self._seconds:
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


class Processes:
    """A nursery, whose `main` is in `module`, and the decoders that are not at work."""

    def __init__(self, module: str = "pixlake.images.nursery") -> None:
        self._module = module
        self._lock = threading.Lock()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._asked: socket.socket | None = None
        self._idle: list[Decoder] = []

    def start(self) -> None:
        """Have a nursery, without waiting until it is ready."""
        with self._lock:
            if self._nursery is None:
                self._start()

    def take(self) -> Decoder:
        """One that is idle, or a new one."""
        with suppress(IndexError):
            return self._idle.pop()
        return self.fork()

    def fork(self, *, numpy: bool = False) -> Decoder:
        """A new one. Where the nursery has ended, there is a new one of that too."""
        with self._lock:
            if self._nursery is not None:
                with suppress(OSError):
                    return self._fork(numpy)
                self._end()
            self._start()
            try:
                return self._fork(numpy)
            except OSError as error:
                self._end()
                raise RuntimeError("no process to decode images starts; what it said is above") from error

    def give_back(self, decoder: Decoder) -> None:
        """It waits for its next job."""
        self._idle.append(decoder)

    def end(self, decoder: Decoder) -> str:
        """End one; how it had ended, in words."""
        decoder.close()
        with self._lock, suppress(OSError):
            return _describe(self._request(wire.KILL, decoder.process))
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
                env={**_SINGLE, **kept},
                start_new_session=True,  # a terminal's Ctrl-C is for this process to handle
            )
        self._asked = ours

    def _fork(self, numpy: bool) -> Decoder:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                what = wire.FORK_WITH_NUMPY if numpy else wire.FORK
                return Decoder(self._request(what, 0, theirs), ours)
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


_shared = Processes()
_warned: set[str] = set()


def shared_processes() -> Processes:
    """Those of this process."""
    return _shared


def _warn_once(missing: str) -> None:
    if missing not in _warned:
        _warned.add(missing)
        _log.warning("images are decoded with %s on this platform", missing)


def _forget() -> None:
    """In a forked child: what its parent has is not its own."""
    global _shared
    _shared = Processes()


atexit.register(lambda: _shared.close())
os.register_at_fork(after_in_child=_forget)
