"""What a column's name and values say of it: whether it tells rows apart, names images, or only counts the rows.

Values are judged by a sample, so that a table of many columns and a million rows is judged in no time; what must hold
for all of them (`tells_apart`) is counted.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixlake.formats import IMAGE_EXTENSIONS
from pixlake.matching.names import comparable
from pixlake.matching.pieces import count_distinct, pieces

# Of a column's rows with a value, and of its values that differ. The rest is rejected row by row, so a column that is
# nearly perfect will do; on the word of images, or of a name that means nothing else, a worse one.
NEARLY, MOSTLY = 0.9, 0.5
_SAMPLE_ROWS = 5_000
_EXTENSIONS = "|".join(sorted(IMAGE_EXTENSIONS))
_IMAGE_VALUE = rf"(?i)\.(?:{_EXTENSIONS})(?:[?#][^\s;|]*)?\"?\s*(?:$|[;|,\]])"
_IMAGE_WORD = r"(?:image|img|photo|photograph|picture|pic|file|thumbnail)s?"
_IMAGE_NAME = re.compile(rf"{_IMAGE_WORD}(?:[ _.-]?(?:file[ _.-]?)?(?:name|path|file|url|uri))?", re.I)
_IMAGE_KEY = re.compile(rf"{_IMAGE_WORD}[ _.-]?(?:id|no|nr|num|number|code|key)", re.I)
_SEPARATE = r"(?:[ _.-]|^)"
# from the surest to the least sure, with the share of rows that such a column must tell apart
_KEY_NAMES = (
    (re.compile(r"id|uuid|guid|uid", re.I), MOSTLY),
    (re.compile(r"(record|row|item|object|sample|primary)[ _.-]?(id|key)|key|identifier", re.I), MOSTLY),
    (re.compile(r".*([ _.-][iI][dD]|[a-z0-9]I[dD]|[A-Z]ID)|ID[ _.-].*"), NEARLY),
    (
        re.compile(
            rf"(.*{_SEPARATE})?(sku|asin|isbn|ean|upc|gtin|doi|barcode|slug|handle|accession|inventory|serial)", re.I
        ),
        NEARLY,
    ),
    (re.compile(rf"(.*{_SEPARATE})?(number|no|nr|num|code|key|ref|reference)\.?", re.I), NEARLY),
    (re.compile(r".*[a-z0-9](Number|No|Nr|Num|Code|Key|Sku|SKU)|(?i:.*nummer)"), NEARLY),
)
_ROW_NUMBER = re.compile(
    r"|unnamed[:_ ]*\d+|column_\d+|__index_level_\d+__|level_\d+|\.\.\.\d+"
    r"|index|x|#|obs|rownames|row[ _.-]?(no|num|number)?",
    re.I,
)
_TIME = re.compile(r".*(year|quarter|month|week|date|day|time|timestamp|period)", re.I)
_NAME = re.compile(r"(full[ _.-]?)?name", re.I)
# words about a thing, which another may share
_LABEL = re.compile(
    r"(.*[ _.-])?(class|category|label|target|tag|type|kind|group|genre|genus|species|breed|variety|style|status"
    r"|colou?r|title|caption|description|text|prompt|note|comment|remark|md5|sha1|sha256|checksum|hash)(es|s)?"
    r"([ _.-]names?)?",
    re.I,
)
_HALF_A_NAME = re.compile(r"(first|middle|last|given|family|fore|sur)[ _.-]?names?", re.I)
_GLUED_KEY = re.compile(r".*(no|nr|num|cod|id)", re.I)  # too little to go by, but for numbers that are all different
_INTEGER, _DECIMAL = r"^\s*[+-]?[0-9]+\s*$", r"^\s*[+-]?[0-9]*[.,][0-9]+(?:[eE][+-]?[0-9]+)?\s*$"
_LONG = 50  # characters; what is longer on the average is written for people


@dataclass(frozen=True)
class Profile:
    """One column, and how many rows it could have a value in (a file may lack the column)."""

    name: str
    values: pa.ChunkedArray
    rows: int

    @cached_property
    def filled(self) -> int:
        return len(self.values) - int(self.values.null_count)

    @cached_property
    def distinct(self) -> int:
        return count_distinct(self.values)

    def tells_apart(self, share: float) -> bool:
        """Whether at least this share of rows has a value, and this share of the values differ."""
        return 0 < self.filled >= share * self.rows and self.distinct >= share * self.filled

    @cached_property
    def complete(self) -> bool:
        """Whether each row has a value, and each another."""
        if self.filled < len(self.values) or count_distinct(self.sample) < len(self.sample):
            return False
        return self.filled == self.distinct

    def matched(self, keys: pa.Array) -> tuple[int, int]:
        """How many values are among `keys`, and how many different ones."""
        found = []
        for some in pieces(self.values):
            trimmed = comparable(pc.utf8_trim_whitespace(some))
            found.append(trimmed.filter(pc.is_in(trimmed, keys)))
        among = pa.chunked_array(found, pa.string())
        return len(among), count_distinct(among)

    @cached_property
    def sample(self) -> pa.ChunkedArray:
        """Some values from all over, in their order, no nulls."""
        return sample(self.values)

    @cached_property
    def key_name(self) -> int | None:
        """How surely the name is that of a key, 0 for the surest, where its values are as different as such a name's
        must be; None for any other."""
        rank = called_like_key(self.name)
        return rank if rank is not None and self.tells_apart(_KEY_NAMES[rank][1]) else None

    @cached_property
    def names_images(self) -> bool:
        """Whether it is called like a column of images, or its values look like their names."""
        return bool(_IMAGE_NAME.fullmatch(self.name)) or self.image_key or _are_images(self.sample)

    @property
    def image_key(self) -> bool:
        """Whether it is called like the key of an image, such as `photo_id`."""
        return bool(_IMAGE_KEY.fullmatch(self.name))

    @property
    def label(self) -> bool:
        """Whether it is called like words about a thing, such as its species or its title."""
        return bool(_LABEL.fullmatch(self.name))

    @property
    def time(self) -> bool:
        """Whether it is called like a time."""
        return bool(_TIME.fullmatch(self.name))

    @cached_property
    def row_number(self) -> bool:
        """Whether it is the index that a data frame was saved with: nameless or called so, and counting upwards."""
        return bool(_ROW_NUMBER.fullmatch(self.name)) and self._ascends

    @cached_property
    def _ascends(self) -> bool:
        """Whether its values are whole numbers, each above the one before."""
        numbers = _numbers(self.sample) if self.share_of(_INTEGER) >= 1 else ()
        return bool(len(numbers) and np.all(np.diff(numbers) > 0))

    @cached_property
    def counts_rows(self) -> bool:
        """Whether its values only count the rows, from 0 or 1."""
        if self.values.null_count or not len(self.values) or self.share_of(_INTEGER) < 1:
            return False
        places = _spread(len(self.values))
        numbers = _numbers(self.values.take(pa.array(places)))
        return bool(len(numbers) > 1 and numbers[0] in (0, 1) and np.array_equal(numbers - numbers[0], places))

    @cached_property
    def plainness(self) -> int | None:
        """What a key without a key's name looks like: 0 codes and times, 1 names, 2 whole numbers; None for measures,
        free text, and half of a person's name."""
        if not len(self.sample) or self.share_of(_DECIMAL) >= MOSTLY or _HALF_A_NAME.fullmatch(self.name):
            return None
        if pc.mean(pc.utf8_length(self.sample)).as_py() > _LONG or self.share_of(r"[\r\n]") > 0:
            return None
        if self.time or _NAME.fullmatch(self.name):
            return 0
        if self.share_of(_INTEGER) >= MOSTLY:
            return 2
        return 1 if self.label or self.share_of(r"\S\s+\S") >= 1 - NEARLY else 0

    def doubtful(self, first: bool) -> bool:
        """Whether values that are all different say little of it, `first` if no column is before it: measures, labels,
        free text, and numbers that neither go up in the first column nor are called a bit like a key."""
        if self.plainness != 2:
            return self.plainness is None or self.label
        return not (first and self._ascends) and not _GLUED_KEY.fullmatch(self.name)

    def share_of(self, pattern: str) -> float:
        """The share of the sampled values that the pattern is found in."""
        found = pc.sum(pc.match_substring_regex(self.sample, pattern)).as_py() or 0
        return float(found / max(len(self.sample), 1))


def looks_like_images(column: pa.ChunkedArray) -> bool:
    """Whether at least half of the values are names of image files."""
    return _are_images(sample(column))


def _are_images(some: pa.ChunkedArray) -> bool:
    matching = pc.sum(pc.match_substring_regex(some, _IMAGE_VALUE)).as_py() or 0
    return bool(2 * matching >= len(some) > 0)


def called_like_key(name: str) -> int | None:
    """How surely the name is that of a key, 0 for the surest."""
    ranks = (rank for rank, (pattern, _) in enumerate(_KEY_NAMES) if pattern.fullmatch(name))
    return next(ranks, None)


def called_like_images(name: str) -> bool:
    """Whether a column of this name may name images without their extensions."""
    return bool(_IMAGE_NAME.fullmatch(name) or _IMAGE_KEY.fullmatch(name))


def sample(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Some values from all over, in their order, no nulls."""
    filled = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    return values.take(pa.array(filled[_spread(len(filled))]))


def _spread(count: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, min(count, _SAMPLE_ROWS)).astype(np.int64)


def _numbers(values: pa.ChunkedArray) -> NDArray[np.int64]:
    try:
        numbers: NDArray[np.int64] = pc.cast(pc.utf8_trim_whitespace(values), pa.int64()).to_numpy()
    except pa.ArrowInvalid:  # more digits than a row number has
        return np.empty(0, np.int64)
    return numbers
