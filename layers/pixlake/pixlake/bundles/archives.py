"""Packs files into a reproducible uncompressed tar, and unpacks one, bounded by the tar's own size.

Only plain files and folders go in and come out. Python's `data` filter keeps them below the folder.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pixlake.errors import BadBundle

_MOST_FILES = 10_000
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)
_MODE = 0o644


def pack(files: Mapping[str, Path], target: Path) -> None:
    """Write files, each under its name, as a tar without owners and times."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, path in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, _MODE
            with path.open("rb") as file:
                tar.addfile(member, file)


def unpack(chunks: Iterable[bytes | memoryview], size: int, folder: Path) -> int:
    """Unpack a tar of `size` bytes below `folder`, and return the number of files.

    BadBundle if it is not a tar, or holds anything but plain files below the folder.
    """
    return _walk(chunks, size, folder)


def inspect(chunks: Iterable[bytes | memoryview], size: int) -> int:
    """The number of files in a tar that `unpack` would take; BadBundle as there. Writes nothing."""
    return _walk(chunks, size, None)


def _walk(chunks: Iterable[bytes | memoryview], size: int, folder: Path | None) -> int:
    source, files, total = _Source(chunks), 0, 0
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for count, member in enumerate(tar, 1):
                files, total = files + member.isreg(), total + member.size
                _check(member, count, total, size)
                if folder:
                    tar.extract(member, folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise BadBundle(f"the tar cannot be unpacked: {error}") from error
    source.drain()
    return files


def _check(member: tarfile.TarInfo, count: int, total: int, size: int) -> None:
    if tarfile.data_filter(member, "/nowhere").name != member.name:
        raise BadBundle(f"the tar holds {member.name!r}, which lies outside of it")
    if member.type not in _PLAIN or member.issparse():
        raise BadBundle(f"the tar holds {member.name!r}, which is no plain file")
    if total > size:
        raise BadBundle(f"the tar's files would have more than its own {size:,} bytes")
    if count > _MOST_FILES:
        raise BadBundle(f"the tar holds more than {_MOST_FILES:,} files")


class _Source(io.RawIOBase):
    """Chunks as a file that `tarfile` reads in one pass."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        self._chunks: Iterator[bytes | memoryview] = iter(chunks)
        self._left = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size and (self._left or self._fill()):
            part = self._left[:size]
            self._left = self._left[len(part) :]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def drain(self) -> None:
        """Read the bytes after the tar's end, for a checksum covers them."""
        for _ in self._chunks:
            pass

    def _fill(self) -> bool:
        chunk = next(self._chunks, None)
        self._left = memoryview(chunk or b"")
        return chunk is not None
