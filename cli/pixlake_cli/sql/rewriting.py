"""Trino's functions where DuckDB's have another name, shape or meaning and sqlglot does not know it."""

from collections.abc import Callable, Mapping

from sqlglot import exp

_INTEGER_COLUMNS = {"width", "height", "images", "records", "embedded", "predicted", "rejected"}


def rewrite_functions(tree: exp.Expr) -> exp.Expr:
    """The tree with every such call replaced, the inner ones first."""
    for call in list(tree.find_all(exp.Reduce)):
        if _is_dot_product(call):
            call.replace(_dot_product(call))
    for node in reversed(list(tree.walk(bfs=False))):
        rewritten = _rewrite(node)
        if rewritten is node:
            continue
        if node is tree:
            tree = rewritten
        else:
            node.replace(rewritten)
    return tree


def _rewrite(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        by_name = _BY_NAME.get(node.name.lower())
        return by_name(node) if by_name else node
    by_type = _BY_TYPE.get(type(node))
    return by_type(node) if by_type else node


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _count(value: int) -> exp.Expr:
    return exp.Literal.number(value)


def _body(function: exp.Expr, values: Mapping[str, exp.Expr]) -> exp.Expr:
    """A lambda's body with its parameters replaced."""
    root = exp.Paren(this=function.this.copy())
    for identifier in list(root.find_all(exp.Identifier)):
        if identifier.name in values and not _is_bound(identifier):
            # a parameter stands alone, or as a column where more is made of it
            target = identifier.parent if isinstance(identifier.parent, exp.Column) else identifier
            target.replace(values[identifier.name].copy())
    return root


def _is_bound(identifier: exp.Identifier) -> bool:
    """Whether an inner lambda has a parameter of this name."""
    outer = identifier.find_ancestor(exp.Lambda)
    while outer:
        if any(parameter.name == identifier.name for parameter in outer.expressions):
            return True
        outer = outer.find_ancestor(exp.Lambda)
    return False


def _zip_with(call: exp.Expr) -> exp.Expr:
    """zip_with(a, b, (x, y) -> f(x, y)): one pass over the zipped list."""
    first, second, function = call.expressions
    x, y = (parameter.name for parameter in function.expressions)
    pair = exp.to_identifier(f"{x}_{y}")
    body = _body(
        function, {x: _call("struct_extract_at", pair, _count(1)), y: _call("struct_extract_at", pair, _count(2))}
    )
    return _call("list_transform", _call("list_zip", first, second), exp.Lambda(this=body, expressions=[pair]))


def _reduce(call: exp.Expr) -> exp.Expr:
    """reduce(list, start, step, finish): DuckDB has no last function, so it is applied to the result."""
    finish = call.args.get("finish")
    if not finish:
        return call
    bare = exp.Reduce(this=call.this.copy(), initial=call.args["initial"].copy(), merge=call.args["merge"].copy())
    return _body(finish, {finish.expressions[0].name: bare})


def _is_dot_product(call: exp.Expr) -> bool:
    """reduce(zip_with(a, b, (x, y) -> x * y), 0, (s, p) -> s + p, …), with casts or without."""
    pairs, start = call.this, _bare(call.args["initial"])
    return (
        isinstance(pairs, exp.Anonymous)
        and pairs.name.lower() == "zip_with"
        and _combines(pairs.expressions[2], exp.Mul)
        and _combines(call.args["merge"], exp.Add)
        and isinstance(start, exp.Literal)
        and float(start.name) == 0
    )


def _combines(function: exp.Expr, operator: type[exp.Binary]) -> bool:
    """Whether a lambda does nothing but combine its two parameters."""
    body = _bare(function.this)
    if not isinstance(body, operator):
        return False
    operands = [_bare(body.left), _bare(body.right)]
    parameters = {each.name for each in function.expressions}
    return all(isinstance(each, exp.Identifier) for each in operands) and {each.name for each in operands} == parameters


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return node


def _dot_product(call: exp.Expr) -> exp.Expr:
    """DuckDB's own, about twenty times as fast as its lambdas. As in Trino, null for lists of different lengths."""
    first, second, _ = call.this.expressions
    product = _call("list_dot_product", exp.cast(first.copy(), "double[]"), exp.cast(second.copy(), "double[]"))
    same_length = exp.EQ(this=_call("len", first), expression=_call("len", second))
    dot = exp.Paren(this=exp.case().when(same_length, product))
    finish = call.args.get("finish")
    return _body(finish, {finish.expressions[0].name: dot}) if finish else dot


def _matching(call: exp.Expr, negated: bool = False) -> exp.Expr:
    """The number of elements that satisfy the lambda, or that do not."""
    values, function = call.expressions
    body = exp.Not(this=exp.Paren(this=function.this.copy())) if negated else function.this.copy()
    return _call("len", _call("list_filter", values, exp.Lambda(this=body, expressions=function.expressions)))


def _map_agg(call: exp.Expr) -> exp.Expr:
    keys, values = call.expressions
    return _call("map", _call("list", keys), _call("list", values))


def _at_timezone(call: exp.Expr) -> exp.Expr:
    moment, zone = call.expressions
    return exp.AtTimeZone(this=moment.copy(), zone=zone.copy())


def _cardinality(call: exp.Expr) -> exp.Expr:
    """Lists and maps alike; sqlglot's choice takes lists only."""
    return exp.cast(_call("cardinality", call.this), "bigint")


def _divide(division: exp.Expr) -> exp.Expr:
    """The quotient of two integers is an integer in Trino, a double in DuckDB."""
    if _is_integer(division.this) and _is_integer(division.expression):
        return exp.IntDiv(this=division.this.copy(), expression=division.expression.copy())
    return division


def _is_integer(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal):
        return node.is_int
    if isinstance(node, exp.Column):
        return node.name.lower() in _INTEGER_COLUMNS
    if isinstance(node, exp.Cast):
        return node.to.is_type(*exp.DataType.INTEGER_TYPES)
    if isinstance(node, exp.Paren | exp.Neg | exp.Sum | exp.Min | exp.Max):
        return _is_integer(node.this)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
        return _is_integer(node.left) and _is_integer(node.right)
    return isinstance(node, exp.Count | exp.CountIf | exp.ApproxDistinct | exp.Length | exp.IntDiv)


def _unnest(call: exp.Expr) -> exp.Expr:
    """UNNEST(list, …) AS t(a, …), UNNEST(map) AS t(k, v), both WITH ORDINALITY: a lateral query of DuckDB's unnest."""
    alias = call.args.get("alias")
    if not alias or not alias.columns:
        return call
    columns, lists = [column.name for column in alias.columns], list(call.expressions)
    if len(columns) == 2 * len(lists):
        lists = [_call(f"map_{part}", pairs) for pairs in lists for part in ("keys", "values")]
    selected = [exp.alias_(_call("unnest", values), name) for values, name in zip(lists, columns, strict=False)]
    if call.args.get("offset"):
        subscripts = _call("generate_subscripts", lists[0], _count(1))
        selected.append(exp.alias_(subscripts, call.args["offset"].name))
    query = exp.Subquery(this=exp.select(*selected), alias=exp.TableAlias(this=alias.this.copy()))
    return (
        query
        if isinstance(call.parent, exp.From)
        else exp.Lateral(this=query.this.subquery(), alias=query.args["alias"])
    )


_BY_NAME: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "zip_with": _zip_with,
    "any_match": lambda call: exp.GT(this=_matching(call), expression=_count(0)),
    "none_match": lambda call: exp.EQ(this=_matching(call), expression=_count(0)),
    "all_match": lambda call: exp.EQ(this=_matching(call, negated=True), expression=_count(0)),
    "map_agg": _map_agg,
    "at_timezone": _at_timezone,
}
_BY_TYPE: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Reduce: _reduce,
    exp.ArraySize: _cardinality,
    exp.Div: _divide,
    exp.Unnest: _unnest,
}
