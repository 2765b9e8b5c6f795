"""The kind of each column of a table: numerical, categorical, text, or left out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import pandas

from pixlake.bundles.values import read_number
from pixlake.errors import BadTable

# Values shared by fewer rows than this, on average, identify rows rather than group them.
_ROWS_A_CATEGORY = 4
_MOST_CATEGORIES = 500


@dataclass(frozen=True)
class Wishes:
    """The user's choices of columns, before any kind is guessed."""

    categorical: Collection[str] = ()
    ignored: Collection[str] = ()
    text: bool = False


@dataclass(frozen=True)
class Columns:
    """The columns by kind; `left_out` has the reason for each other one."""

    numerical: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        yield from (*self.numerical, *self.categorical, *self.text)

    @property
    def types(self) -> dict[str, str]:
        """The kinds by AutoGluon's names."""
        kinds = {"numerical": self.numerical, "categorical": self.categorical, "text": self.text}
        return {name: kind for kind, names in kinds.items() for name in names}

    def typed(self, table: pandas.DataFrame) -> pandas.DataFrame:
        """The columns of a table of text as AutoGluon takes them: numbers as floats, the rest as text."""
        numbers = {name: table[name].map(_number).astype(float) for name in self.numerical}
        return table[list(self)].assign(**numbers)


def choose_columns(table: pandas.DataFrame, wishes: Wishes) -> Columns:
    """The kinds of a table's columns, all of them text. BadTable for a missing column in `wishes`."""
    if absent := sorted({*wishes.categorical, *wishes.ignored} - set(table.columns)):
        listed = ", ".join(map(repr, table.columns))
        raise BadTable(f"there is no column {absent[0]!r} to learn from; there are {listed or 'none'}")
    found: dict[str, list[str]] = {"numerical": [], "categorical": [], "text": []}
    left_out = {}
    for name in table.columns:
        kind = (
            "ignored"
            if name in wishes.ignored
            else _choose_kind(table[name].dropna(), name in wishes.categorical, wishes)
        )
        if kind in found:
            found[kind].append(name)
        else:
            left_out[name] = kind
    return Columns(**{kind: tuple(names) for kind, names in found.items()}, left_out=left_out)


def _choose_kind(values: "pandas.Series[str]", named_category: bool, wishes: Wishes) -> str:
    """A column's kind, or why it is left out."""
    distinct = values.nunique()
    if distinct < 2:
        return "the same in all rows" if distinct else "empty"
    if named_category:
        return "categorical"
    if values.map(_number).notna().all():
        return "numerical"
    if distinct <= _MOST_CATEGORIES and distinct * _ROWS_A_CATEGORY <= len(values):
        return "categorical"
    if wishes.text:
        return "text"
    return f"text, {distinct:,} different values, and no --text-backbone to read it"


def _number(text: str | None) -> float | None:
    return None if text is None else read_number(text)
