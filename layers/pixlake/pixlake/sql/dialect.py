"""Athena's SQL (Trino's) as DuckDB's, so that a query tried on a laptop runs on AWS unchanged.

sqlglot does most of it. This module decides which statements are allowed and which tables they read; `functions`
rewrites what sqlglot leaves.
"""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, UnsupportedError

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import DATABASE
from pixlake.sql.differences import check, correct_comparisons, correct_names, warn
from pixlake.sql.kinds import Kinds
from pixlake.sql.rewriting import rewrite_functions

METADATA = ("snapshots", "history", "files", "manifests", "partitions", "refs")
_CATALOGS = ("", "awsdatacatalog")
_SHOW = re.compile(r"\s*SHOW\s+(TABLES|COLUMNS)\b(?:\s+(?:FROM|IN)\s+([\w.\"]+))?\s*;?\s*", re.IGNORECASE)

# sqlglot warns of each command that it does not know, before we refuse it.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class TableRead:
    """A table that a statement reads: its current snapshot, or another one, or its metadata.

    `as_of` is SQL for a snapshot's id (`kind` VERSION) or for a moment (`kind` TIMESTAMP); `metadata` one of METADATA.
    """

    name: str
    metadata: str = ""
    kind: str = ""
    as_of: str = ""

    @property
    def view(self) -> str:
        """The name of its view in DuckDB."""
        name = f"{self.name}${self.metadata}" if self.metadata else self.name
        return f"{name} {self.kind} {self.as_of}" if self.kind else name


@dataclass(frozen=True)
class Statement:
    """A query for DuckDB, the tables that it reads, sentences on what Athena answers otherwise, and the query as it was
    written."""

    sql: str
    reads: tuple[TableRead, ...]
    warnings: tuple[str, ...] = ()
    source: str = ""


def translate(sql: str, tables: Collection[str]) -> Statement:
    """One read-only statement in Athena's dialect; BadRequest says what does not parse or is not allowed, and where."""
    tree = _parse(_unfold_show(sql, tables))
    kinds = Kinds(tree.copy())
    check(tree, kinds)
    warnings = tuple(warn(tree, kinds))
    reads = _resolve_tables(tree, tables)
    _name_columns(tree)
    correct_comparisons(tree, kinds)
    tree = rewrite_functions(tree, kinds)
    try:
        text = tree.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise BadRequest(f"not supported here: {error}") from error
    return Statement(text, reads, warnings, sql)


def _unfold_show(sql: str, tables: Collection[str]) -> str:
    """SHOW as a statement that sqlglot parses."""
    show = _SHOW.fullmatch(sql)
    if not show:
        return sql
    if show[1].upper() == "COLUMNS":
        return f"DESCRIBE {show[2] or ''}"
    rows = ", ".join(f"('{name}')" for name in sorted(tables))
    return f"SELECT tab_name FROM (VALUES {rows}) AS t(tab_name)"


def _parse(sql: str) -> exp.Expr:
    sql = correct_names(sql)
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
    except ParseError as error:
        raise BadRequest(_describe(error)) from error
    except SqlglotError as error:
        raise BadRequest(f"the SQL does not parse: {error}") from error
    if len(trees) != 1:
        raise BadRequest(f"give one statement, not {len(trees)}")
    tree = trees[0]
    if not isinstance(tree, exp.Query | exp.Describe) or tree.find(exp.Into, exp.DML):
        verb = sql.split(maxsplit=1)[0].upper()
        raise BadRequest(f"{verb} is not allowed: only SELECT, WITH, SHOW and DESCRIBE, for queries only read the lake")
    return tree


def _describe(error: ParseError) -> str:
    """The first error with its place, as one line."""
    first = error.errors[0] if error.errors else {}
    near = f" near {first['highlight']!r}" if first.get("highlight") else ""
    return f"{_place(first)}{first.get('description', str(error)).rstrip('.')}{near}"


def _place(meta: dict[str, object]) -> str:
    return f"line {meta['line']}, column {meta['col']}: " if meta.get("line") else ""


def _resolve_tables(tree: exp.Expr, tables: Collection[str]) -> tuple[TableRead, ...]:
    """Replace each table by a view, under the name that the query uses."""
    reads: dict[TableRead, None] = {}
    common = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or (not table.db and table.name.lower() in common):
            continue
        read = _read_of(table, tables)
        reads[read] = None
        if not table.alias and not isinstance(table.parent, exp.Describe):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        for part in ("db", "catalog", "version"):
            table.set(part, None)
        table.set("this", exp.to_identifier(read.view, quoted=True))
    for column in tree.find_all(exp.Column):
        for part in ("db", "catalog"):
            column.set(part, None)
    return tuple(reads)


def _read_of(table: exp.Table, tables: Collection[str]) -> TableRead:
    name, _, metadata = table.name.lower().partition("$")
    catalog, database = table.catalog.lower(), table.db.lower()
    place = _place(table.this.meta)
    if database not in ("", DATABASE) or catalog not in _CATALOGS or name not in tables:
        known = ", ".join(sorted(tables))
        raise BadRequest(f"{place}there is no table {table.sql(comments=False)}; the lake has {known}")
    if metadata and metadata not in METADATA:
        raise BadRequest(f"{place}no metadata table {metadata!r}; there are {', '.join(METADATA)}")
    version = table.args.get("version")
    if version is None:
        return TableRead(name, metadata)
    return TableRead(name, metadata, version.name.upper(), version.expression.sql(dialect="duckdb"))


def _name_columns(tree: exp.Expr) -> None:
    """Columns without a name are `_col0`, `_col1`, … as on Athena."""
    if not isinstance(tree, exp.Query):
        return
    for index, column in enumerate(tree.selects):
        if not isinstance(column, exp.Alias | exp.Column | exp.Dot | exp.Star):
            column.replace(exp.alias_(column.copy(), f"_col{index}"))
