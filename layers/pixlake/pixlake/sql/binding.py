"""DuckDB's words on names that it cannot resolve, as what is wrong, where in the query, and what may be meant."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

_AROUND = 24  # characters of the query shown before and after a name
_SHOWN = 3


def explain_binding(message: str, source: str, columns: Iterable[str]) -> str:
    """The sentence for a message; `source` is the query as it was written, `columns` those of the tables it reads."""
    text = " ".join(message.removeprefix("Binder Error: ").split())
    for pattern, explain in _KNOWN:
        if found := re.match(pattern, text):
            return explain(found, source, sorted(set(columns)))
    return text


_Explain = Callable[[re.Match[str], str, list[str]], str]


def _no_column(found: re.Match[str], source: str, columns: list[str]) -> str:
    name = found["name"]
    table = found.groupdict().get("table")
    near = get_close_matches(name.lower(), columns, _SHOWN, 0.5)
    meant = f"is {' or '.join(near)} meant?" if near else f"there are {', '.join(columns)}"
    if not near and "attributes" in columns:
        meant += f"; an attribute is element_at(attributes, '{name}')"
    return f"there is no column {name}{f' in {table}' if table else ''}{_near(name, source)}: {meant}"


def _no_table(found: re.Match[str], source: str, _columns: list[str]) -> str:
    there = f": the query has {_listed(found['candidates'])}" if found["candidates"] else ""
    return f"there is no table or alias {found['name']}{_near(found['name'], source)}{there}"


def _ambiguous(found: re.Match[str], source: str, _columns: list[str]) -> str:
    name = found["name"]
    return f"the column {name}{_near(name, source)} is in several tables: write {_listed(found['candidates'])}"


def _ungrouped(found: re.Match[str], _source: str, _columns: list[str]) -> str:
    name = found["name"]
    return f"the column {name} is neither in GROUP BY nor in an aggregate: add it there, or write any_value({name})"


def _listed(candidates: str) -> str:
    return candidates.replace('"', "").replace("'", "")


def _near(name: str, source: str) -> str:
    """The line around the name where it first stands outside of quotes; empty where it does not."""
    bare = re.sub(r"'(?:[^']|'')*'", lambda text: " " * len(text[0]), source)
    found = re.search(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", bare)
    if not found:
        return ""
    begin, end = source.rfind("\n", 0, found.start()) + 1, source.find("\n", found.end())
    excerpt = source[max(begin, found.start() - _AROUND) : min(len(source) if end < 0 else end, found.end() + _AROUND)]
    return f" near {excerpt.strip()!r}"


_KNOWN: tuple[tuple[str, _Explain], ...] = (
    (r'Referenced column "(?P<name>[^"]+)" not found', _no_column),
    (r'(?:Values list|Table) "(?P<table>[^"]+)" does not have a column named "(?P<name>[^"]+)"', _no_column),
    (r'Referenced table "(?P<name>[^"]+)" not found!(?: Candidate tables: (?P<candidates>.+))?', _no_table),
    (r'Ambiguous reference to column name "(?P<name>[^"]+)" \(use: (?P<candidates>.+)\)', _ambiguous),
    (r'column "(?P<name>[^"]+)" must appear in the GROUP BY', _ungrouped),
)
