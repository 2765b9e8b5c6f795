"""The kinds of a query's values as far as the text tells: which columns of the lake are text, numbers or times."""

from enum import Enum

import pyarrow as pa
from pyarrow import types
from sqlglot import exp

from pixlake.schemas import TABLES


class Kind(Enum):
    """What may be compared with each other."""

    TEXT = "text"
    INTEGER = "a whole number"
    DECIMAL = "a number"
    FLOAT = "a floating-point number"
    MOMENT = "a time"
    DATE = "a date"

    @property
    def is_number(self) -> bool:
        return self in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT)


_DATA_TYPES = (
    (exp.DataType.TEXT_TYPES, Kind.TEXT),
    (exp.DataType.INTEGER_TYPES, Kind.INTEGER),
    (exp.DataType.FLOAT_TYPES, Kind.FLOAT),
    ({exp.DataType.Type.DECIMAL}, Kind.DECIMAL),
    ({exp.DataType.Type.DATE}, Kind.DATE),
    (exp.DataType.TEMPORAL_TYPES, Kind.MOMENT),
)
_ARROW = (
    (types.is_string, Kind.TEXT),
    (types.is_integer, Kind.INTEGER),
    (types.is_floating, Kind.FLOAT),
    (types.is_timestamp, Kind.MOMENT),
)
_BY_CLASS: dict[type[exp.Expr], Kind] = {
    exp.Count: Kind.INTEGER,
    exp.CountIf: Kind.INTEGER,
    exp.ApproxDistinct: Kind.INTEGER,
    exp.Length: Kind.INTEGER,
    exp.ArraySize: Kind.INTEGER,
    exp.CurrentTimestamp: Kind.MOMENT,
    exp.CurrentDate: Kind.DATE,
    exp.Lower: Kind.TEXT,
    exp.Upper: Kind.TEXT,
    exp.Substring: Kind.TEXT,
    exp.Concat: Kind.TEXT,
    exp.DPipe: Kind.TEXT,
    exp.Trim: Kind.TEXT,
    exp.SplitPart: Kind.TEXT,
    exp.RegexpExtract: Kind.TEXT,
    exp.RegexpReplace: Kind.TEXT,
    exp.TimeToStr: Kind.TEXT,
    exp.JSONExtractScalar: Kind.TEXT,
    exp.Sqrt: Kind.FLOAT,
    exp.Ln: Kind.FLOAT,
    exp.Pow: Kind.FLOAT,
    exp.Stddev: Kind.FLOAT,
    exp.Variance: Kind.FLOAT,
}
# whose value is of the kind of what they take
_SAME = (
    exp.Paren,
    exp.Neg,
    exp.Sum,
    exp.Min,
    exp.Max,
    exp.Abs,
    exp.Round,
    exp.AnyValue,
    exp.Alias,
    exp.Filter,
    exp.Window,
)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)


def _columns() -> dict[str, pa.DataType | None]:
    """The lake's columns by name; those that are of one type in all tables."""
    found: dict[str, pa.DataType | None] = {}
    for table in TABLES.values():
        for field in table.columns:
            same = found.setdefault(field.name, field.type) == field.type
            found[field.name] = field.type if same else None
    return found


_COLUMNS = _columns()


class Kinds:
    """Those of one query's expressions."""

    def __init__(self, tree: exp.Expr) -> None:
        self._aliases: dict[str, list[exp.Expr]] = {}
        for alias in tree.find_all(exp.Alias):
            self._aliases.setdefault(alias.alias.lower(), []).append(alias.this)
        self._named = {column.name.lower() for alias in tree.find_all(exp.TableAlias) for column in alias.columns}

    def of(self, node: exp.Expr | None, depth: int = 0) -> Kind | None:
        """None where the text does not tell."""
        if node is None or depth > 20:
            return None
        if isinstance(node, exp.Literal):
            return Kind.TEXT if node.is_string else _of_number(node.name)
        if isinstance(node, exp.Cast):
            return next((kind for some, kind in _DATA_TYPES if node.to.this in some), None)
        if isinstance(node, exp.Column):
            return self._of_column(node.name.lower(), depth)
        if isinstance(node, exp.Bracket):
            return self._of_element(node.this)
        if isinstance(node, exp.Avg):
            return Kind.DECIMAL if self.of(node.this, depth + 1) is Kind.DECIMAL else Kind.FLOAT
        if isinstance(node, _SAME):
            return self.of(node.this, depth + 1)
        if isinstance(node, _ARITHMETIC):
            return _together(self.of(node.left, depth + 1), self.of(node.right, depth + 1))
        if isinstance(node, exp.Anonymous) and node.name.lower() in ("nan", "infinity"):
            return Kind.FLOAT
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc | exp.DateAdd):
            return self.of(node.this, depth + 1)
        return _BY_CLASS.get(type(node))

    def is_list(self, node: exp.Expr) -> bool:
        """Whether it is a column of the lake that holds lists."""
        kind = self._type_of(node)
        return kind is not None and types.is_list(kind)

    def _of_column(self, name: str, depth: int) -> Kind | None:
        if name in self._named:
            return None
        meanings = {self.of(node, depth + 1) for node in self._aliases.get(name, ()) if not _is_column(node, name)}
        if name in _COLUMNS:
            meanings.add(_of_type(_COLUMNS[name]))
        return meanings.pop() if len(meanings) == 1 else None

    def _of_element(self, node: exp.Expr) -> Kind | None:
        kind = self._type_of(node)
        if kind is not None and types.is_map(kind):
            return _of_type(kind.item_type)
        return _of_type(kind.value_type) if kind is not None and types.is_list(kind) else None

    def _type_of(self, node: exp.Expr) -> pa.DataType | None:
        """A column's, if it is one of the lake's."""
        name = node.name.lower() if isinstance(node, exp.Column) else ""
        return None if name in self._aliases or name in self._named else _COLUMNS.get(name)


def _is_column(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Column) and node.name.lower() == name


def _of_number(text: str) -> Kind:
    if "e" in text.lower():
        return Kind.FLOAT
    return Kind.DECIMAL if "." in text else Kind.INTEGER


def _of_type(kind: pa.DataType | None) -> Kind | None:
    return next((found for holds, found in _ARROW if kind is not None and holds(kind)), None)


def _together(first: Kind | None, second: Kind | None) -> Kind | None:
    """Of arithmetic: the wider of two numbers; a date or a time stays one, whatever is added."""
    for kind in (Kind.MOMENT, Kind.DATE):
        if kind in (first, second):
            return kind if first is not second else None
    if Kind.FLOAT in (first, second):
        return Kind.FLOAT
    if first is None or second is None or not (first.is_number and second.is_number):
        return None
    return Kind.DECIMAL if Kind.DECIMAL in (first, second) else Kind.INTEGER
