"""Encoded images out of the lake, within the limits of a worker's memory."""

from collections.abc import Iterable

from pixlake import storage
from pixlake.concurrency import Admit
from pixlake.errors import BadImage
from pixlake.settings import InferenceSettings

Encoded = bytes | BadImage
"""An image's bytes, or why they were not read."""


def read_ahead(uris: Iterable[str], settings: InferenceSettings, admit: Admit) -> list[Encoded]:
    """The first images, as many as may be read ahead together, once they are admitted; at least one, if there is."""
    opened: list[storage.Opened] = []
    total = 0
    for uri in uris:
        each = storage.open_object(uri)
        total += _held(each, settings)
        if opened and total > settings.read_ahead_bytes:
            total -= _held(each, settings)
            break
        opened.append(each)
    admit(total)
    return [_read(each, settings) for each in opened]


def read_image(uri: str, settings: InferenceSettings) -> Encoded:
    """One image, at once."""
    return _read(storage.open_object(uri), settings)


def unwrap(encoded: Encoded) -> bytes:
    """The bytes; raises the BadImage where they were not read."""
    if isinstance(encoded, BadImage):
        raise encoded
    return encoded


def _held(opened: storage.Opened, settings: InferenceSettings) -> int:
    """What it takes in memory: nothing where it is not read."""
    return opened.size if opened.size <= settings.max_image_bytes else 0


def _read(opened: storage.Opened, settings: InferenceSettings) -> Encoded:
    most = settings.max_image_bytes
    if opened.size > most:
        return BadImage("too_large", f"the file's {opened.size:,} bytes are more than the {most:,} allowed")
    return opened.read()
