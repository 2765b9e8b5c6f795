"""A header of two rows or three, as a spreadsheet has it: `Size` over `height` and `width`, its cells merged."""

from collections.abc import Sequence

from pixlake.tables.headers import Cells, is_word, is_word_above_values

Merged = tuple[int, int, int, int]
"""First row, first column, last row and last column of cells that are one."""
_DEEPEST = 3  # rows of a header


def count_rows(rows: Sequence[Cells], merged: Sequence[Merged]) -> int:
    """How many of `rows`, of which the first is the header's first, are the header. `merged` counts from that row.

    Cells merged downwards tell it. Else the second row is of the header where it names what the first leaves blank, in
    words, and these stand above numbers, or one is missing where no row below lacks a value.
    """
    deepest = max((last + 1 for first, _, last, _ in merged if first == 0 < last), default=1)
    if deepest > 1:
        return deepest if deepest <= min(_DEEPEST, len(rows)) else 1
    return 2 if len(rows) > 2 and _names_more(rows) else 1


def join_names(rows: Sequence[Cells], merged: Sequence[Merged]) -> list[str]:
    """A name for each column, of the words above it: `Size height`."""
    if len(rows) == 1:
        return [cell or "" for cell in rows[0]]
    filled = [list(row) for row in rows]
    for first, left, last, right in merged:
        for row in range(first, min(last + 1, len(rows))):
            filled[row][left : right + 1] = [filled[first][left]] * (right + 1 - left)
    before: str | None = None
    for place, (over, under) in enumerate(zip(filled[0], filled[1], strict=True)):
        before = over or (before if under else None)
        filled[0][place] = before
    return [" ".join(dict.fromkeys(cell.strip() for cell in column if cell)) for column in zip(*filled, strict=True)]


def explain_span(path: str, count: int, names: Sequence[str]) -> str:
    """The warning where a header has several rows; empty where it has one."""
    if count == 1:
        return ""
    listed = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    return f"{path}: its header has {count} rows, so the columns are called {listed}"


def _names_more(rows: Sequence[Cells]) -> bool:
    first, second, *others = rows
    below = list(zip(*others, strict=True))
    blank = [place for place, cell in enumerate(first) if not cell and (second[place] or any(below[place]))]
    words = [cell for cell in second if cell]
    if not blank or not all(second[place] for place in blank):
        return False
    if len(set(words)) < len(words) or not all(map(is_word, words)):
        return False
    return any(
        is_word_above_values(cell, [each for each in column if each]) if cell else all(column)
        for cell, column in zip(second, below, strict=True)
    )
