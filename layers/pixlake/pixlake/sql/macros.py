"""Functions of Trino's that DuckDB lacks, or answers otherwise, in DuckDB's own SQL.

Types are known only when DuckDB has bound the query, so what depends on them is decided here. What Trino answers with
an error is an error here.
"""

from collections.abc import Iterator

PREFIX = "trino_"
"""Before a macro's name, so that no query means one by accident."""

INTEGERS = {"TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INTEGER", "BIGINT": "BIGINT"}
"""The types of whole numbers as sqlglot names them, and DuckDB."""

_MACROS = {
    "substr": """
        (s, k) AS CASE WHEN k = 0 OR abs(k) > length(s) THEN '' ELSE substring(s, k) END,
        (s, k, n) AS CASE WHEN k = 0 OR abs(k) > length(s) OR n <= 0 THEN '' ELSE substring(s, k, n) END""",
    "split_part": """
        (s, d, n) AS CASE WHEN n < 1 THEN error('split_part: the first part has the index 1')
            ELSE string_split(s, d)[n] END""",
    "width_bucket": """
        (x, bins) AS len(list_filter(bins, lambda bin: bin <= x)),
        (x, low, high, n) AS CAST(CASE
            WHEN n < 1 OR low = high THEN error('width_bucket: one bucket at least, and bounds that differ')
            WHEN (low < high AND x < low) OR (low > high AND x > low) THEN 0
            WHEN (low < high AND x >= high) OR (low > high AND x <= high) THEN n + 1
            ELSE floor(n * CAST(x - low AS DOUBLE) / (high - low)) + 1 END AS BIGINT)""",
    "contains": """
        (l, x) AS CASE WHEN x IS NULL THEN NULL WHEN list_contains(l, x) THEN true
            WHEN len(l) <> list_count(l) THEN NULL ELSE list_contains(l, x) END""",
    "array_max": "(l) AS CASE WHEN len(l) = list_count(l) THEN list_max(l) END",
    "array_min": "(l) AS CASE WHEN len(l) = list_count(l) THEN list_min(l) END",
    "array_position": """
        (l, x) AS CASE WHEN l IS NULL OR x IS NULL THEN NULL ELSE coalesce(list_position(l, x), 0) END""",
    "slice": """
        (l, k, n) AS CASE WHEN k = 0 THEN error('slice: the first element has the index 1')
            WHEN -k > len(l) THEN l[1:0] WHEN k < 0 THEN l[len(l) + k + 1:len(l) + k + n] ELSE l[k:k + n - 1] END""",
    "repeat": "(x, n) AS list_transform(range(n), lambda i: x)",
    "of_array": """
        (c, k) AS CASE WHEN k < 1 OR k > len(c)
            THEN error('the array has no element ' || k || ': element_at gives NULL for it') ELSE c[k] END""",
    "of_map": """
        (c, k) AS CASE WHEN NOT map_contains(c, k)
            THEN error('the map has no key ' || k || ': element_at gives NULL for it') ELSE c[k] END""",
    "regexp_extract": "(s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END",
}
_ELEMENTS = ("VARCHAR", "FLOAT", "DOUBLE", "INTEGER", "BIGINT", "HUGEINT", "BOOLEAN", "TIMESTAMPTZ")


def create_macros() -> Iterator[str]:
    """The statements that make them."""
    for name, body in _MACROS.items():
        yield f"CREATE MACRO {PREFIX}{name}{body}"
    yield f"CREATE MACRO {PREFIX}at{', '.join(_subscripts())}"
    for kind in INTEGERS.values():
        yield from _casts(kind, "regexp_full_match(CAST(a AS VARCHAR), '[-+]?[0-9]+')")
    yield from _casts("BOOLEAN", "lower(CAST(a AS VARCHAR)) IN ('t', 'f', 'true', 'false', '1', '0')")


def _subscripts() -> Iterator[str]:
    """For an index of which the text does not tell whether it is a list's or a map's."""
    for kind in _ELEMENTS:
        yield f"(c {kind}[], k BIGINT) AS {PREFIX}of_array(c, k)"
        yield f"(c MAP(VARCHAR, {kind}), k VARCHAR) AS {PREFIX}of_map(c, k)"
    yield "(c, k) AS c[k]"


def _casts(kind: str, taken: str) -> Iterator[str]:
    """CAST and TRY_CAST: a text has to be written so, and a half is rounded away from zero.

    Types are asked for by name, since those of an aggregate's value choose no macro.
    """
    wrong = f"typeof(a) = 'VARCHAR' AND NOT ({taken})"
    error = f"error('Cannot cast ' || CAST(a AS VARCHAR) || ' to {kind}')"
    whole = "round(TRY_CAST(CAST(a AS VARCHAR) AS DOUBLE))" if kind != "BOOLEAN" else "a"
    for name, cast, otherwise in ((kind, "CAST", error), (f"try_{kind}", "TRY_CAST", "NULL")):
        yield (
            f"CREATE MACRO {PREFIX}to_{name}(a) AS CASE WHEN {wrong} THEN {otherwise}"
            f" WHEN typeof(a) IN ('DOUBLE', 'FLOAT') THEN {cast}({whole} AS {kind}) ELSE {cast}(a AS {kind}) END"
        )
