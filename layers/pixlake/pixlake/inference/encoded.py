"""Encoded images out of the lake, within the limits of a worker's memory."""

from collections.abc import Iterable

from pixlake import storage
from pixlake.concurrency import Admit
from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.settings import InferenceSettings

Encoded = bytes | BadImage
"""An image's bytes, or why they were not read."""


class ImageSource:
    """Reads images within the settings' limits, and has the decoders for them."""

    def __init__(self, settings: InferenceSettings) -> None:
        self._most, self._ahead = settings.max_image_bytes, settings.read_ahead_bytes
        self.decoders = Decoders(Limits(settings.max_pixels, settings.max_image_seconds, settings.max_decoder_bytes))

    def read_ahead(self, uris: Iterable[str], admit: Admit) -> list[Encoded]:
        """The first images, as many as may be read ahead together, once they are admitted; at least one, if any."""
        opened: list[storage.Opened] = []
        total = 0
        for uri in uris:
            each = storage.open_object(uri)
            if opened and total + self._held(each) > self._ahead:
                break
            total += self._held(each)
            opened.append(each)
        admit(total)
        return [self._read(each) for each in opened]

    def read(self, uri: str) -> Encoded:
        """One image, at once."""
        return self._read(storage.open_object(uri))

    def _held(self, opened: storage.Opened) -> int:
        """What it takes in memory: nothing where it is not read."""
        return opened.size if opened.size <= self._most else 0

    def _read(self, opened: storage.Opened) -> Encoded:
        if opened.size > self._most:
            return too_large(opened.size, self._most)
        return opened.read()


def too_large(size: int, most: int) -> BadImage:
    """Why a file of `size` bytes is not read."""
    return BadImage("too_large", f"the file's {size:,} bytes are more than the {most:,} allowed")


def unwrap(encoded: Encoded) -> bytes:
    """The bytes; raises the BadImage where they were not read."""
    if isinstance(encoded, BadImage):
        raise encoded
    return encoded
