"""A table file as text, whatever it is encoded in, opened as often as a reader needs it and never held whole."""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from pixlake import storage
from pixlake.tables.encodings import Encoding, detect, detect_marked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Stands for bytes that are no text: a code point that Unicode promises never to make a character.
UNREADABLE = "\uffff"
_HANDLER = "pixlake.unreadable"
_BUFFER_BYTES = 4 << 20
_BLOCK_BYTES = 1 << 20

codecs.register_error(_HANDLER, lambda error: (UNREADABLE, error.end))  # type: ignore[attr-defined]


class _Recoded(io.RawIOBase):
    """Text as a file of UTF-8 bytes."""

    def __init__(self, text: TextIO) -> None:
        super().__init__()
        self._text = text

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        # A character takes up to 4 bytes. Nobody reads less than a line's worth at once.
        data = self._text.read(len(view) // 4).encode()
        view[: len(data)] = data
        return len(data)


class _Preceded(io.RawIOBase):
    """A file, and before it a few bytes more."""

    def __init__(self, before: bytes, raw: io.RawIOBase) -> None:
        super().__init__()
        self._before, self._raw = before, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        if not self._before:
            return self._raw.readinto(buffer)
        view = memoryview(buffer)
        data, self._before = self._before[: len(view)], self._before[len(view) :]
        view[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class TextFile:
    """A text object, how it is encoded, and what messages call it. It may begin behind its first lines, or with a line
    put `before` it; `line` is the number of the first."""

    uri: str
    encoding: Encoding
    path: str
    before: str = ""
    line: int = 1

    def behind(self, text: str) -> "TextFile":
        """The file without the line of `text` that it begins with."""
        name = self.encoding.name
        mark = self.encoding.mark + len(text.encode(name)) - len("".encode(name))  # of UTF-16, each has a mark
        return replace(self, encoding=replace(self.encoding, mark=mark), line=self.line + 1)

    def below(self, line: str) -> "TextFile":
        """The file with a line put before it."""
        return replace(self, before=f"{line}\n", line=self.line - 1)

    def open_bytes(self) -> io.RawIOBase:
        """UTF-8 without a mark, always valid, with UNREADABLE for bytes that are no text."""
        if self.encoding.name != "utf-8" or not self.encoding.proved:
            return _Recoded(self.open_text())
        raw = storage.Reader(self.uri)
        raw.seek(self.encoding.mark)
        return _Preceded(self.before.encode(), raw) if self.before else raw

    def open_text(self) -> TextIO:
        """Characters, with line ends as they are, and UNREADABLE for bytes that are no text."""
        raw = _open(self.uri, self.encoding.mark, self.before.encode(self.encoding.name) if self.before else b"")
        return io.TextIOWrapper(raw, encoding=self.encoding.name, errors=_HANDLER, newline="")

    def head(self, length: int) -> tuple[str, bool]:
        """The first `length` characters, and whether they are the whole text."""
        text = self.open_text().read(length + 1)
        return text[:length], len(text) <= length


def open_text_file(uri: str, path: str | None = None) -> TextFile:
    """The object with its encoding found, which reads all of it unless its first bytes tell. `path` is its place in
    the upload."""
    path = uri if path is None else path
    marked = detect_marked(_open(uri).read(4096))
    if marked is None:
        return TextFile(uri, detect(_blocks(_open(uri))), path)
    if marked.name == "utf-8":
        found = detect(_blocks(_open(uri)))
        marked = replace(marked, proved=found.name == marked.name and found.proved)
    return TextFile(uri, marked, path)


def _open(uri: str, start: int = 0, before: bytes = b"") -> io.BufferedReader:
    raw = storage.Reader(uri)
    raw.seek(start)
    return io.BufferedReader(_Preceded(before, raw) if before else raw, _BUFFER_BYTES)


def _blocks(raw: io.BufferedReader) -> Iterator[bytes]:
    """About a megabyte of whole lines at a time; of a line that is longer, whole characters of UTF-8."""
    rest = b""
    while block := raw.read(_BLOCK_BYTES):
        block = rest + block + raw.readline(_BLOCK_BYTES)
        rest = b"" if block.endswith(b"\n") else _begun_character(block)
        yield block[: len(block) - len(rest)]
    if rest:
        yield rest


def _begun_character(block: bytes) -> bytes:
    """The last bytes of a block, if they are the beginning of a character that goes on behind it."""
    for length in range(1, min(3, len(block)) + 1):
        first = block[-length]
        if first >= 0xC0:  # it says how many bytes follow it
            return block[-length:] if length < 2 + (first >= 0xE0) + (first >= 0xF0) else b""
        if first < 0x80:
            break
    return b""
