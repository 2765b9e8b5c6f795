"""The first row of a table: whether it names the columns, or is a row like those below it."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pyarrow as pa

from pixlake.formats import IMAGE_EXTENSIONS

Cells = Sequence[str | None]
_IMAGE = re.compile(rf"[^\r\n]+\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS))})(?:[?#]\S*)?", re.I)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?:[T ].*)?|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{4}(?:[T ].*)?")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_LETTERS_AND_DIGITS = re.compile(r"(?=.*[0-9])(?=.*[^\W0-9_])\S{4,}")
_COUNTED = 18  # digits of a number that may count columns; Python converts no more than 4,300
_SHOWN = 3  # cells


def is_row(first: Cells, others: Sequence[Cells]) -> bool:
    """Whether the first row names no columns: it holds an image's name, numbers and times alone, or a code like those
    below it (`INV-1001`) and no name above numbers. Numbers that count up, such as years, are names."""
    filled = [cell.strip() for cell in first if cell and cell.strip()]
    if any(map(_IMAGE.fullmatch, filled)):
        return True
    if filled and all(map(_is_value, filled)):
        return not _counts_up(filled)
    columns = [(cell.strip(), _below(others, place)) for place, cell in enumerate(first) if cell and cell.strip()]
    return any(_alike(*each) for each in columns) and not any(is_word_above_values(*each) for each in columns)


def count_titles(rows: Sequence[Cells]) -> int:
    """How many of the first rows are a title and empty rows below it: one value alone, above a row of three words and
    more, one for each column. A value of several lines is no title."""
    filled = [[cell for cell in row if cell and cell.strip()] for row in rows]
    if not filled or len(filled[0]) != 1 or re.search(r"[\r\n]", filled[0][0]):
        return 0
    titles = next((place for place, cells in enumerate(filled) if len(cells) > 1), 0)
    named = filled[titles]
    full = len(named) == len(rows[titles]) == len(set(named)) > 2
    return titles if full and all(map(is_word, named)) else 0


def explain_title(path: str, title: Cells) -> str:
    """The warning where a title is left out."""
    return f"{path}: {_listed([cell for cell in title if cell])} above the columns' names is left out"


def explain_row(path: str, first: Cells, names: Iterable[str]) -> str:
    """The warning where the first row is one."""
    return (
        f"{path}: its first row ({_listed(first)}) names no columns and was read as a row; the columns are called"
        f" {_listed(list(names))}. Put a row with their names before it"
    )


def explain_numbers(path: str, names: Cells) -> str:
    """A warning where some columns are called like numbers or times that do not count up; empty elsewhere."""
    found = [name for name in names if name and _is_value(name.strip())]
    if not found or (len(found) == 1 and _YEAR.fullmatch(found[0])) or (len(found) > 1 and _ascends(found)):
        return ""
    return (
        f"{path}: its first row, which names the columns, has {_listed(found)}. If it is a row like the others, put a"
        " row with the columns' names before it"
    )


def explain_nameless(path: str, header: Cells, names: Sequence[str], columns: pa.Table) -> str:
    """A warning where columns with values have no name, but for the first, which may be an index; empty elsewhere."""
    found = [name for cell, name in list(zip(header, names, strict=True))[1:] if not (cell or "").strip()]
    found = [name for name in found if name in columns.column_names and columns[name].null_count < columns.num_rows]
    if not found:
        return ""
    return (
        f"{path}: no name stands above {len(found)} of its columns, called {_listed(found)}. Name each column in one"
        " row: of a header of two rows, or of merged cells, the second is read as a row"
    )


def is_word(text: str) -> bool:
    """Whether it may be a column's name: no number, no time, no image."""
    return not _is_value(text.strip()) and not _IMAGE.fullmatch(text.strip())


def is_word_above_values(cell: str, below: Sequence[str]) -> bool:
    """Whether it is a word, and what is below it numbers or times."""
    return not _is_value(cell) and len(below) > 0 and all(map(_is_value, below))


def _is_value(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text))


def _counts_up(texts: Sequence[str]) -> bool:
    if len(texts) < 2 or not all(text.isdecimal() and len(text) <= _COUNTED for text in texts):
        return False
    return [int(text) for text in texts] == list(range(int(texts[0]), int(texts[0]) + len(texts)))


def _ascends(texts: Sequence[str]) -> bool:
    keys = [float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else text for text in texts]
    if len({type(key) for key in keys}) > 1:
        return False
    return all(one < other for one, other in pairwise(keys))  # type: ignore[operator]


def _below(others: Sequence[Cells], place: int) -> list[str]:
    cells = (row[place] for row in others if place < len(row))
    return [cell.strip() for cell in cells if cell and cell.strip()]


def _alike(cell: str, below: Sequence[str]) -> bool:
    """Whether it is a code, and what is below it are codes of its shape."""
    shape = _shape(cell)
    return bool(_LETTERS_AND_DIGITS.fullmatch(cell)) and len(below) > 1 and all(_shape(each) == shape for each in below)


def _shape(text: str) -> str:
    return re.sub("[0-9]+", "9", text) if text.isascii() else text


def _listed(cells: Cells) -> str:
    some = ", ".join(repr(cell[: _SHOWN * 20]) for cell in cells[:_SHOWN] if cell)
    return f"{some}, …" if len(cells) > _SHOWN else some
