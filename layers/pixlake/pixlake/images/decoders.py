"""Images decoded in processes that can only compute: what one of them does to its decoder, it does to no other image.

A decoder has one image at a time. It has so much of a core's time and so much memory for it, and neither files, network
nor other processes (`confinement`). One that dies or takes too long is replaced, and the image is a BadImage. There are
as many decoders as threads that ask at once; they are kept for the next images.
"""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.manifest import Preprocessing
from pixlake.concurrency import Budget
from pixlake.confined.processes import Died, Processes, TooSlow
from pixlake.confined.wire import Answer
from pixlake.errors import BadImage
from pixlake.images import wire
from pixlake.images.preprocessing import normalize
from pixlake.images.processes import Decoder, Wanted, shared_processes
from pixlake.images.wire import CHANNELS, Task

# A decoder may die of what an image before has done to its memory; the second one's death is the image's own doing.
_TRIES = 2
# After so many images at their limit of time the others get a tenth of it: a thousand of them cost their batch no more
# than it has.
_SLOW, _LESS = 12, 0.1
_SOONER = "save it as PNG or JPEG, or smaller, or raise MAX_IMAGE_SECONDS"
_CODE = re.compile("[a-z_]{1,40}")
_LONGEST_DETAIL = 1_000


@dataclass(frozen=True)
class Limits:
    """Of one image: its pixels, the seconds of a core and the bytes of memory that decoding it may take.

    Large images, of as many pixels together, are decoded at once; the others have a quarter of the memory.
    """

    max_pixels: int = 100_000_000
    seconds: float = 10.0
    memory: int = 2 << 30


@dataclass(frozen=True)
class Decoded:
    """RGB pixels, uint8 `[height, width, 3]`, and the size of the upright original."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True)
class Loaded:
    """A graph's tensor, float32 `[3, height, width]`, and the size of the upright original."""

    tensor: NDArray[np.float32]
    width: int
    height: int


@dataclass(frozen=True)
class _Job:
    description: bytes
    data: bytes
    wanted: Wanted


class Decoders:
    """Decodes for any number of threads at once.

    Each method raises BadImage as `decoding.decode` does, and for the reasons `too_slow` and `decoder_killed`.
    """

    def __init__(self, limits: Limits, processes: Processes[Decoder] | None = None) -> None:
        self._limits, self._processes = limits, processes or shared_processes()
        self._slow = 0
        self._turns, self._large = itertools.count(), Budget(limits.max_pixels)

    def start(self) -> None:
        """Have what decoders come from get ready meanwhile; without this the first image waits for it."""
        self._processes.start()

    def fit(self, data: bytes, preprocessing: Preprocessing) -> Decoded:
        """The image at the graph's width and height."""
        wanted = Wanted(preprocessing.width, preprocessing.height)
        return self._decode("fit", data, wanted, preprocessing=msgspec.to_builtins(preprocessing))

    def load(self, data: bytes, preprocessing: Preprocessing) -> Loaded:
        """The image as the graph takes it."""
        fitted = self.fit(data, preprocessing)
        return Loaded(normalize(fitted.pixels, preprocessing), fitted.width, fitted.height)

    def shrink(self, data: bytes, side: int) -> Decoded:
        """The image at no more than `side` pixels a side."""
        return self._decode("shrink", data, Wanted(side, side, exact=False), side=side)

    def check(self, data: bytes) -> None:
        """Whether all of the stored pixels can be decoded."""
        self._ask("check", data, Wanted(0, 0))

    def _decode(self, task: Task, data: bytes, wanted: Wanted, **options: Any) -> Decoded:
        answer = self._ask(task, data, wanted, **options)
        width, height, across, down = answer.text
        return Decoded(np.frombuffer(answer.data, np.uint8).reshape(down, across, CHANNELS), width, height)

    def _ask(self, task: Task, data: bytes, wanted: Wanted, **options: Any) -> Answer:
        if not data:
            raise BadImage("empty", "the file has no bytes")
        description = {"task": task, "max_pixels": self._limits.max_pixels, **options}
        job = _Job(json.dumps(description).encode(), data, wanted)
        for left in reversed(range(_TRIES)):
            try:
                return self._try(job)
            except Died as error:
                if not left:
                    raise BadImage("decoder_killed", f"its decoder was stopped: {error}") from error
        raise AssertionError("the last try raises")

    def _try(self, job: _Job) -> Answer:
        """The pixels that a decoder answers with; BadImage for its reason why not. Raises Died."""
        answer = self._answer(self._processes.take(), job)
        if answer.kind == wire.NUMPY_WANTED:
            answer = self._answer(self._processes.fork(prepared=True), job)
        match answer:
            case Answer(kind=wire.PIXELS):
                return answer
            case Answer(kind=wire.REJECT, text=[str(reason), str(detail)]) if _CODE.fullmatch(reason):
                raise BadImage(reason, _printable(detail))
        raise Died("it answered what no decoder answers")

    def _answer(self, decoder: Decoder, job: _Job) -> Answer:
        """What a decoder answers, kept for the next job unless it wants to be another one."""
        seconds = self._limits.seconds * (_LESS if self._slow >= _SLOW else 1)
        try:
            with self._turn(decoder, len(job.data)) as turn:
                answer = decoder.ask(job.description, job.data, job.wanted, seconds, turn)
        except TooSlow:
            self._slow += 1
            self._processes.end(decoder)
            raise BadImage("too_slow", f"decoding it takes more than {seconds:g} seconds; {_SOONER}") from None
        except Died as error:
            raise Died(f"{error}, {self._processes.end(decoder)}") from error
        except BaseException:
            self._processes.end(decoder)
            raise
        if answer.kind == wire.NUMPY_WANTED:
            self._processes.end(decoder)
        else:
            self._processes.give_back(decoder)
        return answer

    @contextmanager
    def _turn(self, decoder: Decoder, size: int) -> Iterator[Any]:
        """Gives the decoder the memory for a large image, when there is room for that beside those at work."""
        held = 0

        def turn(pixels: int) -> None:
            nonlocal held
            if not held:
                asked = min(max(pixels, 1), self._limits.max_pixels)
                self._large.admit(next(self._turns), asked)
                held = asked
                decoder.limit_memory(self._limits.memory + size)

        decoder.limit_memory(self._limits.memory // 4 + size)
        try:
            yield turn
        finally:
            self._large.release(held)


def _printable(text: str) -> str:
    """As it can be written: no half characters, and not too much of it."""
    return text[:_LONGEST_DETAIL].encode(errors="replace").decode()
