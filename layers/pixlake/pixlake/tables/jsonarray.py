"""A table in one JSON document: an array of objects, read a part at a time."""

import re
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any, TextIO

from pixlake.errors import BadTable
from pixlake.tables.faults import Fault
from pixlake.tables.jsonlines import DECODER, Line, collect, read_json_lines, to_text
from pixlake.tables.room import MAX_ROW_BYTES, Room
from pixlake.tables.tablefile import TableFile
from pixlake.tables.text import UNREADABLE, TextFile

_BLOCK_CHARACTERS = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")


class NoTable(BadTable):
    """A JSON document that is no table: an upload may hold such files for other purposes."""


def read_json(path: str, file: TextFile, room: Room) -> TableFile:
    """The table `file`, which lies at `path` in the upload; an object a line is taken, too.

    Raises NoTable for a document of another shape, BadTable if it is damaged or too large for `room`.
    """
    head = file.head(_BLOCK_CHARACTERS)[0].lstrip()
    if head.startswith("["):
        with file.open_text() as text:
            return collect(path, _lines(elements(path, _blocks(text))), room)
    if _has_lines(head):
        return read_json_lines(path, file, room)
    raise NoTable(f"{path}: it holds no table: that is an array of objects, or an object a line")


def elements(path: str, blocks: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The array's elements, each as its text and as its value; BadTable names the first that is no JSON."""
    text = _Text(blocks)
    text.skip("[")
    number = 1
    while text.next() != "]" or number > 1:
        try:
            yield text.take()
        except (ValueError, RecursionError) as error:
            raise BadTable(f"{path}: row {number}: {_describe(error)}") from error
        number += 1
        if text.next() != ",":
            break
        text.skip(",")
    if text.next() != "]":
        found = "it ends before the array does" if not text.next() else f"row {number}: a comma is missing before it"
        raise BadTable(f"{path}: {found}")
    text.skip("]")
    if text.next():
        raise BadTable(f"{path}: there is more after the array's end")


class _Text:
    """What of the document has come, from the place where reading goes on."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._text, self._start = "", 0

    def next(self) -> str:
        """The next character that is no space; none at the end."""
        while True:
            self._start = _SPACE.match(self._text, self._start).end()  # type: ignore[union-attr]
            if self._start < len(self._text):
                return self._text[self._start]
            if not self._read():
                return ""

    def skip(self, mark: str) -> None:
        if self.next() == mark:
            self._start += 1

    def take(self) -> tuple[str, Any]:
        """One value and its text. ValueError if there is none, or not within the length that a row may have."""
        self.next()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._start)
            except JSONDecodeError:
                end, value = len(self._text), None
                if end - self._start > MAX_ROW_BYTES:
                    raise ValueError(f"it is too long, or no JSON: one may have {MAX_ROW_BYTES:,} bytes") from None
                if not self._read():
                    raise
                continue
            # a number goes on where its block does not
            if end < len(self._text) or not self._read():
                text, self._start = self._text[self._start : end], end
                return text, value

    def _read(self) -> bool:
        more = next(self._blocks, "")
        self._text, self._start = self._text[self._start :] + more, 0
        return bool(more)


def _blocks(text: TextIO) -> Iterator[str]:
    while block := text.read(_BLOCK_CHARACTERS):
        yield block


def _has_lines(head: str) -> bool:
    """Whether the first two lines are an object each."""
    first, second = (*(line for line in head.splitlines()[:9] if line.strip()), "", "")[:2]
    return first.startswith("{") and first.rstrip().endswith("}") and second.lstrip().startswith("{")


def _lines(found: Iterator[tuple[str, Any]]) -> Iterator[Line]:
    """Numbers from 0, and each element's values as text."""
    for number, (text, value) in enumerate(found):
        yield number, len(text), _texts(number, text, value)


def _texts(number: int, text: str, value: Any) -> dict[str, str | None] | Fault:
    if not isinstance(value, dict):
        return Fault(number, "unreadable_row", "the element of the array is not an object")
    if UNREADABLE in text:
        return Fault(number, "unreadable_bytes", "the object holds bytes that are no text")
    try:
        texts = {name: to_text(each) for name, each in value.items()}
        if "\\u" in text:
            "".join((*texts, *(each for each in texts.values() if each))).encode()
    except (ValueError, RecursionError) as error:
        return Fault(number, "unreadable_row", f"the object has a value that is no text: {error}")
    return texts


def _describe(error: Exception) -> str:
    match error:
        case JSONDecodeError():
            return f"it is no JSON: {error.msg}"
        case RecursionError():
            return "it is nested too deeply"
    return "a number has more than 4,300 digits" if "digits" in str(error) else str(error)
