"""The encoding of a table file: marked by its first bytes, proved by decoding all of it, or guessed.

Most files are UTF-8, which no other text is by accident, so the whole file is tried. A guess is needed only for files
of one byte a character and the Asian encodings; charset-normalizer knows them all, but takes a few accented letters
for anything, so Western text, the common case, is recognised first.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import charset_normalizer

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7"]
_SAMPLE_BYTES = 64 << 10


@dataclass(frozen=True)
class Encoding:
    """A codec's name, the bytes of a byte order mark to skip, and whether all of the file is known to decode."""

    name: str
    mark: int = 0
    proved: bool = False


@dataclass
class _Evidence:
    """Lines that are not ASCII: those that decode as UTF-8, those that do not, and some of the latter."""

    good: int = 0
    bad: int = 0
    sample: list[bytes] = field(default_factory=list)
    sampled: int = 0

    def weigh(self, block: bytes) -> None:
        if block.isascii():
            return
        if _decodes(block, "utf-8"):
            self.good += 1
            return
        for line in block.splitlines():
            if not line.isascii():
                self._weigh_line(line)

    def _weigh_line(self, line: bytes) -> None:
        if _decodes(line, "utf-8"):
            self.good += 1
            return
        self.bad += 1
        if self.sampled < _SAMPLE_BYTES:
            self.sample.append(line[:_SAMPLE_BYTES])
            self.sampled += len(line)


def detect_marked(head: bytes) -> Encoding | None:
    """The encoding that a file's first bytes prove: a byte order mark, or UTF-16 without one."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    pairs = len(head) // 2
    low, high = head[: 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if high > 0.4 * pairs and low < 0.05 * pairs:
        return Encoding("utf-16-le")
    if low > 0.4 * pairs and high < 0.05 * pairs:
        return Encoding("utf-16-be")
    return None


def detect(blocks: Iterable[bytes]) -> Encoding:
    """The encoding of a file, UTF-8 or one of no mark, given in blocks of whole lines.

    A UTF-8 file with some broken lines stays UTF-8, so that only these are lost.
    """
    evidence = _Evidence()
    for block in blocks:
        evidence.weigh(block)
    if evidence.bad <= evidence.good:
        return Encoding("utf-8", proved=evidence.bad == 0)
    return Encoding(_guess(b"\n".join(evidence.sample)))


def _guess(lines: bytes) -> str:
    if _is_western(lines):
        return "cp1252"
    best = charset_normalizer.from_bytes(lines, cp_exclusion=_WIDE).best()
    return best.encoding if best else "cp1252"


def _is_western(lines: bytes) -> bool:
    """Whether `lines` make sense in cp1252: nearly all bytes mean something, accents are the exception among letters,
    and no sign stands within a word."""
    text = lines.decode("cp1252", "replace")
    letters = sum(map(str.isalpha, text))
    accented = sum(char.isalpha() and not char.isascii() for char in text)
    if text.count("\N{REPLACEMENT CHARACTER}") > 0.02 * len(text) or accented > 0.3 * letters:
        return False
    return not re.search(r"[^\W\d_][¡-©«-±²-´¶-¹»-¿×÷][^\W\d_]", text)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
