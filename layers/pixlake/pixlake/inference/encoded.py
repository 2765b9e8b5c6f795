"""Encoded images out of the lake, within the limits of a worker's memory."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pixlake import storage
from pixlake.concurrency import Admit
from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.inference.memory import Shares, divide
from pixlake.settings import InferenceSettings

Encoded = bytes | BadImage
"""An image's bytes, or why they were not read."""


class ImageSource:
    """Reads images within the limits of the settings and of the worker's memory, and has the decoders for them.

    `most`: bytes of an image. `ahead`: bytes that may be read ahead.
    """

    def __init__(self, settings: InferenceSettings, shares: Shares | None = None) -> None:
        shares = shares or divide(settings)
        self.most, self.ahead = min(settings.max_image_bytes, shares.alone), shares.ahead
        memory = min(settings.max_decoder_bytes, shares.decoding)
        limits = Limits(settings.max_pixels, settings.max_image_seconds, memory, shares.decoding)
        self.decoders, self._alone = Decoders(limits), threading.Lock()

    def read_ahead(self, uris: Iterable[str], admit: Admit) -> list[Encoded]:
        """The first images, as many as may be read ahead together, once they are admitted; at least one, if any."""
        opened: list[storage.Opened] = []
        total = 0
        for uri in uris:
            each = storage.open_object(uri)
            if opened and total + self._held(each) > self.ahead:
                break
            total += self._held(each)
            opened.append(each)
        admit(total)
        return [self._read(each) for each in opened]

    @contextmanager
    def read_alone(self, uri: str) -> Iterator[Encoded]:
        """One image that was not read ahead, in memory for as long as the block lasts, when no other is."""
        with self._alone:
            yield self._read(storage.open_object(uri))

    def _held(self, opened: storage.Opened) -> int:
        """What it takes in memory: nothing where it is not read."""
        return opened.size if opened.size <= self.most else 0

    def _read(self, opened: storage.Opened) -> Encoded:
        if opened.size > self.most:
            return too_large(opened.size, self.most)
        return opened.read()


def too_large(size: int, most: int) -> BadImage:
    """Why a file of `size` bytes is not read."""
    return BadImage("too_large", f"the file's {size:,} bytes are more than the {most:,} allowed")


def unwrap(encoded: Encoded) -> bytes:
    """The bytes; raises the BadImage where they were not read."""
    if isinstance(encoded, BadImage):
        raise encoded
    return encoded
