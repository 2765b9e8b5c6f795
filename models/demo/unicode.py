"""Unicode's own data on emoji, as Debian's `unicode-data` and `unicode-cldr-core` install it.

Names, groups and versions come from emoji-test.txt, keywords from CLDR's English annotations, the rest from the
Unicode Character Database. Nothing here is typed in by hand.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path("/usr/share/unicode")
SKIN_TONES = range(0x1F3FB, 0x1F400)
VARIATION_SELECTOR, JOINER = 0xFE0F, 0x200D


@dataclass(frozen=True)
class Emoji:
    """One fully qualified emoji. `version` is the Emoji version that added it; `keywords` may be empty."""

    points: tuple[int, ...]
    name: str
    group: str
    subgroup: str
    version: str
    keywords: tuple[str, ...]

    @property
    def code(self) -> str:
        """Its code points as a record id, four digits at least: `1F468_200D_1F4BB`, `2648`, `0023_FE0F_20E3`."""
        return "_".join(f"{point:04X}" for point in self.points)

    @property
    def text(self) -> str:
        return "".join(map(chr, self.points))

    @property
    def toned(self) -> bool:
        return any(point in SKIN_TONES for point in self.points)

    @property
    def toneless(self) -> tuple[int, ...]:
        """The code points without skin tones and variation selectors, the same for all skin tones."""
        return tuple(point for point in self.points if point not in SKIN_TONES and point != VARIATION_SELECTOR)


def _lines(path: Path) -> Iterator[list[str]]:
    """The fields of each line of a Unicode data file, without comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) > 1:
            yield fields


@cache
def _keywords() -> dict[str, tuple[str, ...]]:
    """CLDR's English keywords by emoji, whose variation selectors CLDR leaves out."""
    words = {}
    for folder in ("annotations", "annotationsDerived"):
        tree = ElementTree.parse(ROOT / "cldr" / "common" / folder / "en.xml")
        for annotation in tree.iter("annotation"):
            if annotation.get("type") is None and annotation.text:
                words[annotation.attrib["cp"]] = tuple(word.strip() for word in annotation.text.split("|"))
    return words


def read_emoji() -> list[Emoji]:
    """Every fully qualified emoji, in CLDR order."""
    emoji, group, subgroup = [], "", ""
    entry = re.compile(r"([0-9A-F ]+?) *; fully-qualified +# \S+ E(\S+) (.+)")
    for line in (ROOT / "emoji" / "emoji-test.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif line.startswith("# subgroup: "):
            subgroup = line.removeprefix("# subgroup: ")
        elif match := entry.match(line):
            points = tuple(int(point, 16) for point in match[1].split())
            plain = "".join(chr(point) for point in points if point != VARIATION_SELECTOR)
            emoji.append(Emoji(points, match[3], group, subgroup, match[2], _keywords().get(plain, ())))
    return emoji


def _ranges(path: Path, wanted: Callable[[list[str]], str | None]) -> Callable[[int], str | None]:
    """A look-up of a code point in a file of `first..last; value` lines; `wanted` takes the value out of the fields."""
    spans = []
    for fields in _lines(path):
        value = wanted(fields)
        if value is not None:
            first, _, last = fields[0].partition("..")
            spans.append((int(first, 16), int(last or first, 16), value))
    return cache(lambda point: next((value for first, last, value in spans if first <= point <= last), None))


@dataclass(frozen=True)
class Properties:
    """Look-ups of a code point's properties."""

    block: Callable[[int], str | None]
    category: dict[int, str]
    width: Callable[[int], str | None]
    age: Callable[[int], str | None]
    presentation: Callable[[int], str | None]
    modifier_base: Callable[[int], str | None]


def read_properties() -> Properties:
    def second(fields: list[str]) -> str | None:
        return fields[1]

    def flag(name: str) -> Callable[[list[str]], str | None]:
        return lambda fields: "yes" if fields[1] == name else None

    flags = ROOT / "emoji" / "emoji-data.txt"
    return Properties(
        block=_ranges(ROOT / "Blocks.txt", second),
        category={int(fields[0], 16): fields[2] for fields in _lines(ROOT / "UnicodeData.txt")},
        width=_ranges(ROOT / "EastAsianWidth.txt", second),
        age=_ranges(ROOT / "DerivedAge.txt", second),
        presentation=_ranges(flags, flag("Emoji_Presentation")),
        modifier_base=_ranges(flags, flag("Emoji_Modifier_Base")),
    )
