"""Images decoded in processes that can only compute: what one of them does to its decoder, it does to no other image.

A decoder has one image at a time. It has so much of a core's time and so much memory for it, and neither files, network
nor other processes (`confinement`). One that dies or takes too long is replaced, and the image is a BadImage. There are
as many decoders as threads that ask at once; they are kept for the next images.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from pixlake.images.decoding import LARGE_PIXELS, MAX_SIDE
from pixlake.images.preprocessing import normalize
from pixlake.images.processes import Decoder, Wanted, shared_processes
from pixlake.images.wire import CHANNELS, Task

# After so many images at their limit of time the others get a tenth of it: a thousand of them cost their batch no more
# than it has.
_SLOW, _LESS = 12, 0.1
# What decoding takes for a pixel at most: JPEG 2000 keeps each colour in 4 bytes, twice.
_PIXEL_BYTES = 32
DECODER_BYTES = 40 << 20
"""A decoder that holds more than this when its job is done is ended."""
_SOONER = "save it as PNG or JPEG, or smaller, or raise MAX_IMAGE_SECONDS"
_CODE = re.compile("[a-z_]{1,40}")
_LONGEST_DETAIL = 1_000


@dataclass(frozen=True)
class Limits:
    """Of one image: its pixels, the seconds of a core and the bytes of memory that decoding it may take, encoded bytes
    included; small ones have a quarter of the memory. All that are decoded at once have `together`.
    """

    max_pixels: int = 100_000_000
    seconds: float = 10.0
    memory: int = 2 << 30
    together: int = 4 << 30

    @property
    def small(self) -> int:
        """Bytes for a small image's pixels."""
        return min(self.memory, self.together) // 4


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
        self._turns, self._room = itertools.count(), Budget(limits.together)

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

    def draw(self, data: bytes, preprocessing: Preprocessing) -> Decoded:
        """The image at no less detail than the graph can use, not yet at its width and height."""
        wanted = Wanted(MAX_SIDE, MAX_SIDE, exact=False, pixels=self._limits.max_pixels)
        return self._decode("draw", data, wanted, preprocessing=msgspec.to_builtins(preprocessing))

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
        large = min(LARGE_PIXELS, self._limits.small // _PIXEL_BYTES)
        description = {"task": task, "max_pixels": self._limits.max_pixels, "large": large, **options}
        job = _Job(json.dumps(description).encode(), data, wanted)
        with suppress(Died):  # of what an image before has done to it, perhaps
            return self._try(self._processes.take(), job)
        try:
            return self._try(self._processes.fork(), job)
        except Died as error:
            raise BadImage("decoder_killed", f"its decoder was stopped: {error}") from error

    def _try(self, decoder: Decoder, job: _Job) -> Answer:
        """The pixels that a decoder answers with; BadImage for its reason why not. Raises Died."""
        answer = self._answer(decoder, job)
        if answer.kind == wire.NUMPY_WANTED:
            answer = self._answer(self._processes.fork(prepared=True), job)
        match answer:
            case Answer(kind=wire.PIXELS):
                return answer
            case Answer(kind=wire.REJECT, text=[str(reason), str(detail)]) if _CODE.fullmatch(reason):
                raise BadImage(reason, _printable(detail))
        raise Died("it answered what no decoder answers")

    def _answer(self, decoder: Decoder, job: _Job) -> Answer:
        """What a decoder answers, kept for the next job unless it wants to be another one, or holds on to memory."""
        seconds = self._limits.seconds * (_LESS if self._slow >= _SLOW else 1)
        with self._share(decoder, len(job.data)) as share:
            try:
                answer = decoder.ask(job.description, job.data, job.wanted, seconds, share.enlarge)
            except TooSlow:
                self._slow += 1
                self._processes.end(decoder)
                raise BadImage("too_slow", f"decoding it takes more than {seconds:g} seconds; {_SOONER}") from None
            except Died as error:
                raise Died(f"{error}, {self._processes.end(decoder)}") from error
            except BaseException:
                self._processes.end(decoder)
                raise
            if answer.kind == wire.NUMPY_WANTED or decoder.memory()[1] > DECODER_BYTES:
                self._processes.end(decoder)
            else:
                self._processes.give_back(decoder)
            return answer

    @contextmanager
    def _share(self, decoder: Decoder, size: int) -> Iterator["_Share"]:
        """Lets the decoder have the memory for a small image of `size` encoded bytes, when there is room for that
        beside those at work, until the block ends."""
        share = _Share(self._limits, self._admit, self._room.release, decoder, size)
        try:
            share.hold(self._limits.small)
            yield share
        finally:
            share.release()

    def _admit(self, size: int) -> None:
        self._room.admit(next(self._turns), size)


@dataclass
class _Share:
    """A decoder's part of the memory for all."""

    _limits: Limits
    _admit: Callable[[int], None]
    _release: Callable[[int], None]
    _decoder: Decoder
    _encoded: int
    _held: int = 0

    def hold(self, pixels: int) -> None:
        """So many bytes for its pixels, when there is room."""
        size = min(pixels + self._encoded, self._limits.together)
        self._admit(size)
        self._held = size
        self._decoder.limit_memory(self._decoder.memory()[0] + size)

    def enlarge(self, pixels: int) -> None:
        """Wait for a large image's. What it holds is given up before, for two that wait for each other's would wait for
        ever: nothing of the image is decoded yet."""
        self.release()
        self.hold(min(max(pixels, 1) * _PIXEL_BYTES, self._limits.memory))

    def release(self) -> None:
        self._release(self._held)
        self._held = 0


def _printable(text: str) -> str:
    """As it can be written: no half characters, and not too much of it."""
    return text[:_LONGEST_DETAIL].encode(errors="replace").decode()
