"""SQL that DuckDB and Athena answer differently: Athena's answer, a refusal, or a warning."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pixlake.errors import BadRequest
from pixlake.schemas import TABLES
from pixlake.sql.dialect import translate
from pixlake.sql.warehouse import Limits, connect

Answer = Callable[[str], Any]
AB = "MAP(ARRAY['a'], ARRAY[1])"
TWO = "FROM (VALUES 1, 2) AS t(x)"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """A function that answers a query of one value."""
    connection = connect(Path("/nowhere"), Limits(1 << 30, tmp_path_factory.mktemp("spill"), 1 << 20))

    def of(sql: str) -> Any:
        ((value,),) = connection.execute(translate(f"SELECT {sql}", TABLES).sql).fetchall()
        return value

    return of


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        # elements
        (f"{AB}['a']", 1),
        (f"element_at({AB}, 'b')", None),
        ("ARRAY[1, 2][2]", 2),
        ("element_at(ARRAY[1, 2], 3)", None),
        ("histogram(x)[5] FROM (VALUES 5, 5) AS t(x)", 2),
        ("m[5] FROM (SELECT histogram(x) AS m FROM (VALUES 5, 5) AS t(x))", 2),
        ("l[2] FROM (SELECT array_agg(x ORDER BY x) AS l FROM (VALUES 5, 6) AS t(x))", 6),
        ("slice(ARRAY[1, 2, 3], 2, 2)", [2, 3]),
        ("slice(ARRAY[1, 2, 3], -2, 2)", [2, 3]),
        ("contains(ARRAY[1, NULL], 2)", None),
        ("contains(ARRAY[1, NULL], 1)", True),
        ("array_max(ARRAY[1, NULL])", None),
        ("array_position(ARRAY[1, 2], 3)", 0),
        ("arrays_overlap(ARRAY[1], ARRAY[1, 2])", True),
        ("repeat('a', 2)", ["a", "a"]),
        # numbers
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2.0", 3.5),
        (f"sum(x) / 2 {TWO}", 1),
        ("n / 2 FROM (SELECT count(*) AS n FROM (VALUES 1, 2, 3) AS t(x))", 1),
        ("width_bucket(5.3, 0.2, 10.6, 5)", 3),
        ("width_bucket(11, 0.2, 10.6, 5)", 6),
        ("width_bucket(0, 10, 0, 5)", 6),
        ("width_bucket(2, ARRAY[1.0, 2.0, 3.0])", 2),
        ("round(2.5)", 3),
        ("CAST(2.5e0 AS integer)", 3),
        ("CAST(-2.5e0 AS bigint)", -3),
        (f"CAST(avg(x) AS integer) {TWO}", 2),
        ("TRY_CAST('1.5' AS integer)", None),
        ("TRY(CAST('x' AS integer))", None),
        (f"TRY({AB}['b'])", None),
        ("every(x) FROM (VALUES true, NULL) AS t(x)", True),
        # NaN
        ("nan() > 1", False),
        ("nan() = nan()", False),
        ("nan() <> nan()", True),
        ("1 < nan()", False),
        ("nan() > CAST(NULL AS double)", None),
        ("nan() BETWEEN 0 AND 1", False),
        ("nan() IN (nan(), 1e0)", False),
        ("nan() NOT IN (nan(), 1e0)", True),
        ("1e0 IN (nan(), 1e0)", True),
        ("x IN (1e0, nan()) FROM (VALUES 1e0) AS t(x)", True),
        ("CASE nan() WHEN nan() THEN 'same' ELSE 'other' END", "other"),
        ("nullif(nan(), nan()) IS NULL", False),
        ("nullif(sqrt(4), 2) IS NULL", True),
        ("contains(ARRAY[nan(), 1e0], nan())", False),
        ("contains(ARRAY[nan(), 1e0], sqrt(1))", True),
        ("infinity() > 1", True),
        # text
        ("substr('hello', 0)", ""),
        ("substr('hello', -9)", ""),
        ("substr('hello', -2)", "lo"),
        ("substring('hello', 2, 3)", "ell"),
        ("split_part('a,b', ',', 3)", None),
        ("split_part('a,b', ',', 2)", "b"),
        ("regexp_extract('abc', '[0-9]+')", None),
        ("regexp_extract('ab12', '([a-z]+)([0-9]+)', 2)", "12"),
        ("regexp_replace('abc', '(b)', '[$1]')", "a[b]c"),
        (r"regexp_replace('abc', 'b', '\$1')", "a$1c"),
        ("CAST('abcdef' AS varchar(3))", "abc"),
        ("format('%05.1f', 7e0)", "007.0"),
        ("""json_extract_scalar('{"a": {"b": 1}}', '$.a')""", None),
        ("""json_extract_scalar('{"a": 1}', '$.a')""", "1"),
        # times
        ("date_diff('day', TIMESTAMP '2026-01-01 23:00:00', TIMESTAMP '2026-01-02 01:00:00')", 0),
        ("date_diff('day', DATE '2026-01-01', DATE '2026-01-31')", 30),
        ("date_diff('month', DATE '2026-01-31', DATE '2026-02-01')", 0),
        ("typeof(date_trunc('month', DATE '2026-01-31'))", "DATE"),
        ("typeof(DATE '2026-01-31' + INTERVAL '1' DAY)", "DATE"),
        ("extract(dow FROM DATE '2026-01-04')", 7),
        # words that are operators elsewhere
        ("x isnull FROM (VALUES 5) AS t(x)", 5),
        ("notnull FROM (VALUES 5) AS t(notnull)", 5),
    ],
)
def test_the_answer_is_athenas(answer: Answer, sql: str, value: object) -> None:
    assert answer(sql) == value


def test_an_unquoted_alias_keeps_its_name() -> None:
    assert translate("SELECT count(*) isnull FROM records", TABLES).sql.startswith('SELECT COUNT(*) AS "isnull"')


def test_a_mean_that_is_nan_is_above_nothing(answer: Answer) -> None:
    assert math.isnan(answer("avg(x) FROM (VALUES nan(), 1e0) AS t(x)"))
    assert answer("avg(x) > 0.5 FROM (VALUES nan(), 1e0) AS t(x)") is False


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (f"{AB}['b']", "the map has no key b: element_at gives NULL"),
        ("ARRAY[1, 2][3]", "the array has no element 3"),
        ("ARRAY[1, 2][0]", "the array has no element 0"),
        ("l[3] FROM (SELECT array_agg(x) AS l FROM (VALUES 5, 6) AS t(x))", "the array has no element 3"),
        ("ARRAY[1, 2][-1]", "the array has no element -1"),
        ("split_part('a,b', ',', 0)", "the first part has the index 1"),
        ("CAST('1.5' AS integer)", "Cannot cast 1.5 to INTEGER"),
        ("CAST(' 12 ' AS integer)", "Cannot cast  12  to INTEGER"),
        ("CAST('yes' AS boolean)", "Cannot cast yes to BOOLEAN"),
        ("1 / 0", "Division by zero"),
    ],
)
def test_what_is_an_error_on_athena_is_one(answer: Answer, sql: str, words: str) -> None:
    with pytest.raises(duckdb.Error, match=words):
        answer(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1::integer", "line 1, column 10: Athena has no ::: write CAST"),
        ("SELECT 2 ^ 3", "power"),
        ("SELECT 1 FROM records WHERE record_id == 'a'", "write ="),
        ("SELECT DISTINCT ON (label) label FROM predictions", "DISTINCT ON"),
        ("SELECT * EXCLUDE (label) FROM predictions", "name the columns"),
        ("SELECT 1 FROM predictions WHERE label ILIKE 'a%'", "ILIKE"),
        ("SELECT split('a,b', ',', 2)", "limit"),
        ("SELECT label FROM predictions WHERE score > '0.5'", "text with a floating-point number"),
        ("SELECT 1 FROM records WHERE attributes['age'] > 30", "text with a whole number"),
        ("SELECT 1 FROM records WHERE element_at(attributes, 'age') IN (1, 2)", "text with a whole number"),
        ("SELECT 1 FROM records WHERE uploaded_at > '2026-01-01'", "TIMESTAMP '2026-01-31 00:00:00 UTC'"),
        ("SELECT 1 FROM records WHERE uploaded_at BETWEEN '2026-01-01' AND '2026-02-01'", "TIMESTAMP"),
        ("SELECT 1 FROM records WHERE CAST(uploaded_at AS date) = '2026-01-01'", "DATE '"),
        ("SELECT attributes['age'] + 1 FROM records", "does not calculate with text"),
        ("SELECT label || score FROM predictions", "text with text alone"),
        ("SELECT concat(label, 1) FROM predictions", "text with text alone"),
        ("SELECT upper(label) AS name, count(*) FROM predictions GROUP BY name", "the alias name in ORDER BY alone"),
        ("SELECT score * 2 AS twice FROM predictions WHERE twice > 1", "the alias twice"),
        ("SELECT score AS s, s + 1 FROM predictions", "the alias s"),
        ("SELECT label, count(*) AS n FROM predictions GROUP BY 1 HAVING n > 1", "the alias n"),
        ("WITH a AS (SELECT label AS k FROM predictions) SELECT k AS j FROM a WHERE j = ''", "the alias j"),
    ],
)
def test_what_athena_refuses_is_refused(sql: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words.replace("(", r"\(")):
        translate(sql, TABLES)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT upper(label) AS name, count(*) AS n FROM predictions GROUP BY 1 ORDER BY n, name",
        "SELECT upper(label) AS label FROM predictions WHERE label = 'a'",
        "WITH a AS (SELECT label AS k FROM predictions) SELECT k FROM a WHERE k = 'x' GROUP BY k",
        "SELECT p AS path FROM records CROSS JOIN UNNEST(image_paths) AS t(p) WHERE p LIKE '%.png'",
        "SELECT max(n) AS m FROM (SELECT count(*) AS n FROM predictions GROUP BY label) WHERE n > 1",
        "SELECT 1 FROM records WHERE uploaded_at > TIMESTAMP '2026-01-01 00:00:00 UTC'",
        "SELECT 1 FROM records WHERE date_trunc('day', uploaded_at) >= DATE '2026-01-01'",
        "SELECT 1 FROM records WHERE uploaded_at > current_timestamp - INTERVAL '7' DAY",
        "SELECT TRY_CAST(element_at(attributes, 'age') AS double) + 1 FROM records",
        "SELECT label || '!' || CAST(width AS varchar) FROM predictions JOIN embeddings USING (image_path)",
        "SELECT transform(ARRAY[1], x -> x + 1) AS x",
    ],
)
def test_what_athena_takes_is_taken(sql: str) -> None:
    assert translate(sql, TABLES).warnings == ()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 100.0 * count(*) / 3 FROM records", "33.3 there"),
        ("SELECT count(*) / 3.0 FROM records", "33.3 there"),
        ("SELECT CAST(score AS varchar) FROM predictions", "9.0E-1"),
        ("SELECT score FROM predictions WHERE score IN (SELECT score FROM predictions)", "NaN equals nothing"),
        ("SELECT 1 FROM predictions AS a JOIN predictions AS b USING (score)", "NaN equals nothing"),
    ],
)
def test_what_has_another_value_on_athena_is_warned_of(sql: str, words: str) -> None:
    (warning,) = translate(sql, TABLES).warnings
    assert words in warning


def test_doubles_divide_without_a_warning() -> None:
    assert translate("SELECT score / 2.0, 1e2 * count(*) / 3 FROM predictions GROUP BY 1", TABLES).warnings == ()
