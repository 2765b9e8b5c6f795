"""How a table of text is delimited, quoted and escaped: each way is tried on the beginning, and the one under which
the rows fit the header is taken."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

_DELIMITERS = ",;\t|^~:"
_BY_EXTENSION = {"tsv": "\t", "tab": "\t", "psv": "|"}
_QUOTES = "\"'"
_HINT = re.compile(r'"?sep=(?P<delimiter>[^\w\s"]|[\t ])(?P=delimiter)*"?(?P=delimiter)*(?:\r\n|\r|\n)', re.I)


@dataclass(frozen=True)
class Dialect:
    """The characters between values, around them, and before a quote inside them. A doubled quote is a quote too."""

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None

    def reader_options(self) -> dict[str, str | None]:
        """Keyword arguments for `csv.reader`."""
        return {"delimiter": self.delimiter, "quotechar": self.quote, "escapechar": self.escape}


def take_hint(sample: str) -> tuple[str, str]:
    """The first line with which Excel is told the delimiter (`sep=;`), and the delimiter; both empty without one."""
    found = _HINT.match(sample)
    return (found[0], found["delimiter"]) if found else ("", "")


def choose_dialect(sample: str, whole: bool, extension: str = "csv", told: str = "") -> Dialect:
    """The dialect of a table whose text begins with `sample` (all of it if `whole`).

    Best is what makes most rows as wide as the header, then what leaves fewest values in quotes, then what has most
    columns. A header in which no delimiter occurs is a table of one column, or of several with spaces between. The
    delimiter is the one that is `told`, if one is.
    """
    default = Dialect(told or _BY_EXTENSION.get(extension, ","))
    best, best_score = default, (0.0, 0.0, 1)
    for dialect in _candidates(sample, told or default.delimiter + _DELIMITERS):
        score = _score(_records(sample, whole, dialect))
        if score[2] > 1 and score > best_score:
            best, best_score = dialect, score
    if best_score[2] > 1 or told:
        return best
    return _spaced(sample, whole) or default


def _spaced(sample: str, whole: bool) -> Dialect | None:
    """Spaces, where they make at least three columns of each row: two words may be a name."""
    scored = [(_score(_records(sample, whole, Dialect(" ", quote))), quote) for quote in _QUOTES]
    (fitting, _, width), quote = max(scored, key=itemgetter(0))
    return Dialect(" ", quote) if fitting == 1 and width > 2 else None


def _candidates(sample: str, delimiters: str) -> Iterator[Dialect]:
    for delimiter in dict.fromkeys(delimiters):
        if delimiter not in sample:
            continue
        yield Dialect(delimiter)
        # `\"` inside a value; before a delimiter or a line's end it may be a backslash and then the closing quote
        if re.search(rf'(?<!\\)(\\\\)*\\"(?![{re.escape(delimiter)}\r\n"]|\Z)', sample):
            yield Dialect(delimiter, escape="\\")
        if "'" in sample:
            yield Dialect(delimiter, quote="'")


def _records(sample: str, whole: bool, dialect: Dialect) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample, newline=""), **dialect.reader_options())  # type: ignore[arg-type]
    records = [record for record in reader if record]
    return records if whole else records[:-1] or records


def _score(records: list[list[str]]) -> tuple[float, float, int]:
    if not records:
        return 0.0, 0.0, 0
    width = len(records[0])
    fitting = sum(len(record) == width for record in records[1:]) / max(len(records) - 1, 1)
    values = [value for record in records for value in record]
    quoted = sum(len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES for value in values)
    return fitting, -quoted / len(values), width
