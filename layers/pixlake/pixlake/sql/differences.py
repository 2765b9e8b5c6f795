"""SQL that DuckDB takes and Athena refuses, or answers otherwise: refused here, or corrected, or warned of.

What depends on the types of values alone is left to `macros`.
"""

from collections.abc import Iterator

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from pixlake.errors import BadRequest
from pixlake.schemas import TABLES
from pixlake.sql.kinds import Kind, Kinds

# Operators of other dialects, each with what Athena has.
_OPERATORS = {
    TokenType.DCOLON: "CAST(x AS type)",
    TokenType.CARET: "power(x, y)",
    TokenType.AMP: "bitwise_and(x, y)",
    TokenType.PIPE: "bitwise_or(x, y)",
    TokenType.TILDE: "bitwise_not(x)",
}
_NAMES = (TokenType.ISNULL, TokenType.NOTNULL)
_MAPS = {field.name for table in TABLES.values() for field in table.columns if pa.types.is_map(field.type)}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def correct_names(sql: str) -> str:
    """The words that are postfix operators elsewhere, and in Athena names, in quotes. BadRequest for operators that
    Athena lacks."""
    try:
        tokens = Trino().tokenize(sql)
    except TokenError as error:
        raise BadRequest(f"the SQL does not parse: {error}") from error
    for token in reversed(tokens):
        if token.token_type in _NAMES:
            sql = f'{sql[: token.start]}"{token.text}"{sql[token.end + 1 :]}'
        elif instead := _instead_of(token):
            raise BadRequest(f"line {token.line}, column {token.col}: Athena has no {token.text}: write {instead}")
    return sql


def _instead_of(token: Token) -> str | None:
    return "=" if token.text == "==" else _OPERATORS.get(token.token_type)


def check(tree: exp.Expr, kinds: Kinds) -> None:
    """BadRequest for what Athena refuses."""
    for node in tree.walk():
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            _refuse("DISTINCT ON", "use row_number() OVER (PARTITION BY …) = 1, or max_by")
        if isinstance(node, exp.Star) and any(node.args.values()):
            _refuse("* without or with other columns", "name the columns")
        if isinstance(node, exp.ILike):
            _refuse("ILIKE", "compare lower(x) by LIKE")
        if isinstance(node, exp.Group) and node.args.get("all"):
            _refuse("GROUP BY ALL", "name the columns, or their numbers")
        if isinstance(node, exp.Split) and node.args.get("limit"):
            raise BadRequest("split with a limit is not supported here; Athena has it")
        if isinstance(node, exp.Select):
            _check_aliases(node)
        if isinstance(node, exp.Column):
            _check_path(node, tree)
        _check_kinds(node, kinds)


def _refuse(what: str, instead: str) -> None:
    raise BadRequest(f"Athena has no {what}: {instead}")


def _check_path(column: exp.Column, tree: exp.Expr) -> None:
    """A map has no fields."""
    outer = column.table.lower()
    if outer not in _MAPS:
        return
    names = {each.alias_or_name.lower() for each in tree.find_all(exp.Table, exp.TableAlias, exp.Subquery)}
    if outer not in names:
        raise BadRequest(
            f"Athena takes {column.table}.{column.name} for a column of a table: write"
            f" element_at({column.table}, '{column.name}')"
        )


def _check_aliases(select: exp.Select) -> None:
    """An alias can be used in ORDER BY alone."""
    aliases = {each.alias.lower() for each in select.selects if isinstance(each, exp.Alias)}
    columns = _columns_of(select)
    if columns is None or not aliases - columns:
        return
    parts = [*select.selects, *(select.args.get(part) for part in ("where", "group", "having"))]
    for part in filter(None, parts):
        for column in _own_columns(part):
            name = column.name.lower()
            if name in aliases - columns:
                raise BadRequest(
                    f"Athena knows the alias {column.name} in ORDER BY alone: repeat what it stands for,"
                    " in GROUP BY also its number, or select from a subquery"
                )


def _own_columns(part: exp.Expr) -> Iterator[exp.Column]:
    """Columns without a table that are not a subquery's or a lambda's."""
    for node in part.walk(prune=lambda each: isinstance(each, exp.Query | exp.Lambda)):
        if isinstance(node, exp.Column) and not node.table:
            yield node


def _columns_of(select: exp.Select) -> set[str] | None:
    """The columns of what a query reads; None where the text does not tell."""
    tables = {cte.alias.lower(): cte.this for cte in _common_tables(select)}
    found: set[str] = set()
    sources = [join.this for join in select.args.get("joins") or ()]
    if source := select.args.get("from_") or select.args.get("from"):
        sources.append(source.this)
    for each in sources:
        columns = _columns_of_source(each, tables)
        if columns is None:
            return None
        found |= columns
    return found


def _common_tables(node: exp.Expr | None) -> Iterator[exp.Expr]:
    while node is not None:
        yield from (found.expressions if (found := node.args.get("with_") or node.args.get("with")) else ())
        node = node.parent


def _columns_of_source(source: exp.Expr, tables: dict[str, exp.Expr]) -> set[str] | None:
    alias = source.args.get("alias")
    if alias is not None and alias.columns:
        return {column.name.lower() for column in alias.columns}
    query = source.this if isinstance(source, exp.Subquery) else None
    if isinstance(source, exp.Table):
        name = source.name.lower()
        if name not in tables:
            return set(TABLES[name].columns.names) if name in TABLES else None
        query = tables[name]
    if not isinstance(query, exp.Query) or any(each.is_star for each in query.selects):
        return None
    return {each.alias_or_name.lower() for each in query.selects}


def _check_kinds(node: exp.Expr, kinds: Kinds) -> None:
    """Text compared or joined with what is none, which DuckDB converts without a word."""
    if isinstance(node, _COMPARISONS):
        _check_pair(kinds.of(node.left), kinds.of(node.right))
    elif isinstance(node, exp.Between):
        _check_pair(kinds.of(node.this), kinds.of(node.args["low"]))
        _check_pair(kinds.of(node.this), kinds.of(node.args["high"]))
    elif isinstance(node, exp.In):
        for each in node.expressions:
            _check_pair(kinds.of(node.this), kinds.of(each))
    elif isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
        if Kind.TEXT in (kinds.of(node.left), kinds.of(node.right)):
            raise BadRequest("Athena does not calculate with text: write TRY_CAST(x AS double)")
    elif isinstance(node, exp.DPipe | exp.Concat):
        parts = node.expressions if isinstance(node, exp.Concat) else [node.left, node.right]
        if any(kind not in (Kind.TEXT, None) for kind in map(kinds.of, parts)):
            raise BadRequest("Athena joins text with text alone: write CAST(x AS varchar)")


def _check_pair(first: Kind | None, second: Kind | None) -> None:
    if None in (first, second) or Kind.TEXT not in (first, second) or first is second:
        return
    other = first if second is Kind.TEXT else second
    if other in (Kind.MOMENT, Kind.DATE):
        instead = "DATE '2026-01-31'" if other is Kind.DATE else "TIMESTAMP '2026-01-31 00:00:00 UTC'"
    else:
        instead = "TRY_CAST(x AS double) for the text, or quotes around the number"
    raise BadRequest(f"Athena does not compare text with {other.value if other else ''}: write {instead}")


def warn(tree: exp.Expr, kinds: Kinds) -> Iterator[str]:
    """What has another value on Athena."""
    for division in tree.find_all(exp.Div):
        pair = {kinds.of(division.left), kinds.of(division.right)}
        if Kind.DECIMAL in pair and Kind.FLOAT not in pair:
            yield (
                "Athena rounds the quotient of decimals such as 100.0 to their places: 100.0 * 1 / 3 is 33.3 there;"
                " write 1e2, or CAST(x AS double)"
            )
            break
    for cast in tree.find_all(exp.Cast):
        if cast.to.this in exp.DataType.TEXT_TYPES and kinds.of(cast.this) is Kind.FLOAT:
            yield "Athena writes a double as varchar as 9.0E-1, not 0.9; write format('%.3f', x)"
            break
    if any(_is_float(each.this, kinds) for each in tree.find_all(exp.In) if each.args.get("query")) or any(
        kinds.of(exp.column(each.name)) is Kind.FLOAT
        for join in tree.find_all(exp.Join)
        for each in join.args.get("using") or ()
    ):
        yield "On Athena NaN equals nothing; here it equals itself in IN (SELECT …) and USING: leave out is_nan(x)"


def correct_comparisons(tree: exp.Expr, kinds: Kinds) -> None:
    """NaN is neither equal to anything nor above or below it; to DuckDB it equals itself and is above all numbers."""
    _spell_out(tree, kinds)
    for node in reversed(list(tree.find_all(*_COMPARISONS, exp.Between))):
        operands = [node.this, node.args["high"] if isinstance(node, exp.Between) else node.expression]
        floats = [each for each in operands if kinds.of(each) is Kind.FLOAT and not isinstance(each, exp.Literal)]
        if floats:
            node.replace(_without_nan(node, floats, operands))


def _spell_out(tree: exp.Expr, kinds: Kinds) -> None:
    """IN, CASE x WHEN, nullif and contains of floating-point numbers as the comparisons that they stand for."""
    for node in reversed(list(tree.find_all(exp.In, exp.Case, exp.Nullif, exp.ArrayContains))):
        if isinstance(node, exp.ArrayContains):
            if _is_float(node.expression, kinds):
                known = exp.Not(this=exp.func("isnan", exp.cast(node.expression.copy(), "double"), dialect="duckdb"))
                node.replace(exp.Paren(this=exp.and_(node.copy(), known)))
        elif isinstance(node, exp.In) and node.expressions and _is_float(node.this, kinds):
            node.replace(exp.Paren(this=exp.or_(*(_equal(node.this, each) for each in node.expressions))))
        elif isinstance(node, exp.Nullif) and _is_float(node.this, kinds):
            node.replace(exp.case().when(_equal(node.this, node.expression), exp.null()).else_(node.this.copy()))
        elif isinstance(node, exp.Case) and node.this is not None and _is_float(node.this, kinds):
            for each in node.args["ifs"]:
                each.set("this", _equal(node.this, each.this))
            node.set("this", None)


def _is_float(node: exp.Expr, kinds: Kinds) -> bool:
    return kinds.of(node) is Kind.FLOAT and not isinstance(node, exp.Literal)


def _equal(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    return exp.EQ(this=first.copy(), expression=second.copy())


def _without_nan(node: exp.Expr, floats: list[exp.Expr], operands: list[exp.Expr]) -> exp.Expr:
    """The comparison, and that neither is NaN; `<>` is true where one is. Null stays null."""
    nan: exp.Expr = exp.false()
    for each in floats:
        found = exp.func("isnan", exp.cast(each.copy(), "double"), dialect="duckdb")
        nan = found if isinstance(nan, exp.Boolean) else exp.or_(nan, found)
    known = exp.and_(*(exp.Not(this=exp.Is(this=each.copy(), expression=exp.Null())) for each in operands))
    odd = exp.and_(exp.Paren(this=nan), known)
    bare = exp.Paren(this=node.copy())
    combined = exp.or_(bare, odd) if isinstance(node, exp.NEQ) else exp.and_(bare, exp.Not(this=exp.Paren(this=odd)))
    return exp.Paren(this=combined)
