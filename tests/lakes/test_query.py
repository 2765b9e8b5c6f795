import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table

from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.sql import planning
from pixlake_cli.output import TABLE_ROWS
from tests.builders.commands import run
from tests.builders.deletes import delete_positions
from tests.builders.zoo import fill, folder_of, put_rows
from tests.project import ROOT, read_template, saved_queries
from tests.statements import commands

Query = Callable[[str], list[dict[str, Any]]]
HOUR = "2026-11-20T09:30:00Z"


pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture
def rows(zoo_lake: Lake) -> Query:
    def query(sql: str) -> list[dict[str, Any]]:
        result = run("query", sql, "--lake", zoo_lake.folder, "--format", "json")
        assert result.exit_code == 0, result.stderr
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found

    return query


@pytest.mark.parametrize(
    "table", ["embeddings", "pixlake.embeddings", "AwsDataCatalog.pixlake.EMBEDDINGS", '"embeddings"']
)
def test_a_table_is_found_under_each_of_its_names(rows: Query, table: str) -> None:
    assert rows(f"SELECT count(*) AS n FROM {table}") == [{"n": 3}]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT cardinality(embedding) FROM embeddings WHERE record_id = 'cat'", 3),
        ("SELECT cardinality(probabilities) FROM predictions WHERE record_id = 'cat'", 2),
        ("SELECT element_at(embedding, 2) FROM embeddings WHERE record_id = 'lion'", pytest.approx(0.6)),
        ("SELECT embedding[1] FROM embeddings WHERE record_id = 'lion'", pytest.approx(0.8)),
        ("SELECT element_at(probabilities, 'thing') FROM predictions WHERE record_id = 'lion'", 0.4),
        ("SELECT probabilities['animal'] FROM predictions WHERE record_id = 'lion'", 0.6),
        ("SELECT element_at(probabilities, 'none') FROM predictions WHERE record_id = 'lion'", None),
        ("SELECT map_keys(probabilities) FROM predictions WHERE record_id = 'lion'", ["animal", "thing"]),
        ("SELECT reduce(embedding, 0.0, (s, x) -> s + x, s -> s * 10) FROM embeddings WHERE record_id = 'cat'", 10),
        ("SELECT zip_with(ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x * y)", [3, 8]),
        (
            "SELECT zip_with(ARRAY[1, 2], ARRAY[3, 4], (x, y) -> "
            "x + reduce(zip_with(ARRAY[5], ARRAY[7], (x, y) -> x * y), 0, (s, x) -> s + x, s -> s))",
            [36, 37],
        ),
        ("SELECT transform(ARRAY[1, 2], x -> x + 1)", [2, 3]),
        ("SELECT filter(ARRAY[1, 2], x -> x > 1)", [2]),
        ("SELECT any_match(ARRAY[1, 2], x -> x > 1)", True),
        ("SELECT all_match(ARRAY[1, 2], x -> x > 1)", False),
        ("SELECT none_match(ARRAY[1, 2], x -> x > 1 OR x < 0)", False),
        ("SELECT approx_distinct(label) FROM predictions", 2),
        (
            "SELECT map_agg(record_id, score) FROM predictions WHERE record_id IS NOT NULL",
            {"cat": 0.9, "lion": 0.6},
        ),
        ("SELECT count_if(score > 0.7 AND NOT is_nan(score)) FROM predictions", 1),
        ("SELECT arbitrary(model) FROM predictions", "group@ba9876543210"),
        ("SELECT date_trunc('day', uploaded_at) FROM records LIMIT 1", "2026-11-20T00:00:00Z"),
        ("SELECT date_format(uploaded_at, '%Y-%m-%d %H:%i') FROM records LIMIT 1", "2026-11-20 09:30"),
        ("SELECT date_diff('minute', timestamp '2026-11-20 09:00:00 UTC', uploaded_at) FROM records LIMIT 1", 30),
        ("SELECT uploaded_at + interval '1' hour FROM records LIMIT 1", "2026-11-20T10:30:00Z"),
        ("SELECT year(at_timezone(uploaded_at, 'UTC')) FROM records LIMIT 1", 2026),
        ("SELECT from_iso8601_timestamp('2026-11-20T09:30:00Z')", HOUR),
        ("SELECT width / height FROM embeddings WHERE record_id = 'cat'", 2),
        ("SELECT sum(width) / count(*) FROM embeddings WHERE record_id = 'cat'", 5),
        ("SELECT 1 / 2.0", 0.5),
        ("SELECT CAST(width AS double) / height FROM embeddings WHERE record_id = 'cat'", 2.5),
        ("SELECT score FROM predictions WHERE image_path = 'car.png'", None),
        ("SELECT uploaded_at FROM records LIMIT 1", HOUR),
        ("SELECT DATE '2026-11-20'", "2026-11-20"),
        ("SELECT sum(width) FROM embeddings", 1285),
        ("SELECT attributes FROM records WHERE record_id = 'none'", {"name": None}),
    ],
)
def test_functions_of_athena_are_translated(rows: Query, sql: str, value: object) -> None:
    ((found,),) = [tuple(row.values()) for row in rows(sql)]
    assert found == value


def test_cosine_of_vectors_finds_the_nearest(rows: Query) -> None:
    found = rows(
        """SELECT b.image_path, reduce(zip_with(a.embedding, b.embedding, (x, y) -> x * y),
               CAST(0 AS REAL), (s, x) -> s + x, s -> s) AS score
           FROM embeddings a CROSS JOIN embeddings b WHERE a.record_id = 'cat' ORDER BY score DESC"""
    )
    assert [row["image_path"] for row in found] == ["cat.png", "lion.png", "car.png"]
    assert [row["score"] for row in found] == pytest.approx([1.0, 0.8, 0.0])


@pytest.mark.parametrize(
    ("lists", "steps", "value"),
    [
        ("ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x * y", "0, (s, p) -> s + p, s -> s", 11),
        (
            "ARRAY[1, 2], ARRAY[3, 4], (x, y) -> CAST(x AS double) * y",
            "CAST(0 AS double), (s, p) -> p + s, s -> s + 1",
            12,
        ),
        ("ARRAY[1, 2], ARRAY[3], (x, y) -> x * y", "0, (s, p) -> s + p, s -> s", None),
        # not dot products, though they look like one
        ("ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x * x", "0, (s, p) -> s + p, s -> s", 5),
        ("ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x * y", "1, (s, p) -> s + p, s -> s", 12),
        ("ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x + y", "0, (s, p) -> s + p, s -> s", 10),
        ("ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x * y", "0, (s, p) -> s + p * p, s -> s", 73),
    ],
)
def test_a_reduce_over_zip_with_is_evaluated_as_its_lambdas_say(
    rows: Query, lists: str, steps: str, value: float | None
) -> None:
    assert rows(f"SELECT reduce(zip_with({lists}), {steps}) AS dot") == [{"dot": value}]


def test_the_saved_queries_of_the_stack_run(rows: Query) -> None:
    queries = saved_queries(read_template()).values()
    assert len(queries) > 3
    for query in queries:
        sql = re.sub(r"FOR TIMESTAMP AS OF \(.*?\) AS", "FOR TIMESTAMP AS OF current_timestamp AS", query)
        rows(sql.replace("?", "'zoo'").replace("image_path = 'zoo'", "image_path = 'cat.png'"))


def test_unnest_of_a_list_with_ordinality(rows: Query) -> None:
    sql = (
        "SELECT record_id, path, n FROM records CROSS JOIN UNNEST(image_paths) WITH ORDINALITY AS t(path, n) ORDER BY n"
    )
    assert rows(sql) == [
        {"record_id": "cat", "path": "cat.png", "n": 1},
        {"record_id": "cat", "path": "cat-2.png", "n": 2},
    ]


def test_unnest_of_a_map(rows: Query) -> None:
    sql = "SELECT k, v FROM predictions CROSS JOIN UNNEST(probabilities) AS t(k, v) WHERE record_id = 'cat' ORDER BY k"
    assert rows(sql) == [{"k": "animal", "v": 0.9}, {"k": "thing", "v": 0.1}]


def test_unnest_keeps_empty_lists_of_a_left_join(rows: Query) -> None:
    sql = "SELECT record_id, path FROM records LEFT JOIN UNNEST(image_paths) AS t(path) ON TRUE WHERE NOT has_image"
    assert rows(sql) == [{"record_id": "none", "path": None}]


def test_unnest_needs_no_table(rows: Query) -> None:
    assert rows("SELECT a FROM UNNEST(ARRAY[1, 2]) AS t(a)") == [{"a": 1}, {"a": 2}]


def test_unnamed_columns_are_named_as_on_athena(rows: Query) -> None:
    assert rows("SELECT 1, width, 2 + 2 FROM embeddings WHERE width = 5") == [{"_col0": 1, "width": 5, "_col2": 4}]


def test_a_common_table_may_take_a_tables_name(rows: Query) -> None:
    assert rows("WITH records AS (SELECT 7 AS x) SELECT x FROM records") == [{"x": 7}]


def test_tables_join_across_names(rows: Query) -> None:
    sql = """SELECT p.label, e.width FROM pixlake.predictions p
             JOIN embeddings e ON e.record_id = p.record_id ORDER BY e.width"""
    assert rows(sql) == [{"label": "animal", "width": 5}, {"label": "animal", "width": 640}]


def test_show_and_describe_list_tables_and_columns(rows: Query) -> None:
    assert {"tab_name": "rejects"} in rows("SHOW TABLES")
    for statement in ("DESCRIBE embeddings", "SHOW COLUMNS FROM pixlake.embeddings;"):
        assert {row["column_name"]: row["column_type"] for row in rows(statement)}["embedding"] == "FLOAT[]"


def test_an_empty_table_has_its_columns(zoo_lake: Lake) -> None:
    result = run("query", "SELECT source, reason FROM rejects", "--lake", zoo_lake.folder, "--format", "csv")
    assert result.stdout == "source,reason\n"
    assert run("query", "SELECT * FROM rejects", "--lake", zoo_lake.folder, "--format", "json").stdout == "[]\n"


def test_rows_that_athena_deleted_are_not_answered(own_zoo_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put_rows(own_zoo_lake, "records", [{"record_id": "new", "image_paths": [], "attributes": []}], "2")

    def cut(table: Table, *given: Any) -> list[ExistingFile]:
        first, *others = list_existing(table, *given)
        return [delete_positions(first, table.io, [0]), *others]

    def ids() -> str:
        sql = "SELECT record_id FROM records ORDER BY 1"
        return run("query", sql, "--lake", own_zoo_lake.folder, "--format", "csv").stdout

    before = ids().split()
    monkeypatch.setattr(planning, "list_existing", cut)
    after = ids().split()
    assert (len(before), len(after)) == (4, 3)
    assert set(after) < set(before)


def test_earlier_snapshots_are_read_by_version_and_by_time(own_zoo_lake: Lake) -> None:
    first = load_table(open_catalog(own_zoo_lake.uri, own_zoo_lake.catalog_uri), "records").current_snapshot()
    assert first
    put_rows(own_zoo_lake, "records", [{"record_id": "new", "image_paths": [], "attributes": []}], "2")

    def count(suffix: str) -> int:
        sql = f"SELECT count(*) AS n FROM records {suffix}"
        found: int = json.loads(run("query", sql, "--lake", own_zoo_lake.folder, "--format", "json").stdout)[0]["n"]
        return found

    assert count("") == 3
    assert count(f"FOR VERSION AS OF {first.snapshot_id} AS r") == 2
    second = f"from_unixtime({first.timestamp_ms / 1000})"
    assert count(f"FOR TIMESTAMP AS OF {second}") == 2
    assert count("FOR TIMESTAMP AS OF current_timestamp") == 3
    early = run(
        "query", "SELECT 1 FROM records FOR TIMESTAMP AS OF timestamp '2020-01-01'", "--lake", own_zoo_lake.folder
    )
    assert early.exit_code == 2
    assert "records has no snapshot at" in early.stderr
    snapshots = run(
        "query", 'SELECT snapshot_id FROM "records$snapshots"', "--lake", own_zoo_lake.folder, "--format", "csv"
    )
    assert str(first.snapshot_id) in snapshots.stdout.splitlines()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nope( FROM x", "line 1, column 19"),
        ("SELECT nope FROM records", "there is no column nope near 'SELECT nope FROM records'"),
        ("SELECT nope(1)", "nope does not exist"),
        ("SELECT 1\nFROM nope", "line 2, column 9: there is no table nope; the lake has embeddings"),
        ("SELECT 1 FROM other.records", "there is no table other.records"),
        ('SELECT 1 FROM "records$nope"', "no metadata table 'nope'"),
        ("DROP TABLE records", "DROP is not allowed"),
        ("INSERT INTO records SELECT * FROM records", "INSERT is not allowed"),
        ("DELETE FROM records", "DELETE is not allowed"),
        ("CREATE TABLE x AS SELECT 1", "CREATE is not allowed"),
        ("SELECT 1 INTO x", "not allowed"),
        ("COPY records TO 'x.csv'", "not allowed"),
        ("SET lock_configuration = false", "not allowed"),
        ("ATTACH 'x.db'", "line 1, column"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "one statement"),
        ("SELECT CAST('x' AS integer)", "Cannot cast x to INTEGER"),
        ("SELECT 1 FROM records FOR VERSION AS OF 12", "records has no snapshot at 12"),
        ("SELECT lable FROM predictions", "no column lable near 'SELECT lable FROM predictions': is label"),
        ("SELECT 1,\n  p.lable FROM predictions p", "no column lable in p near 'p.lable FROM predictions p': is label"),
        ("SELECT count(*) FROM records WHERE 'year' < year", "an attribute is element_at(attributes, 'year')"),
        (
            "SELECT q.label FROM predictions p",
            "no table or alias q near 'SELECT q.label FROM predictions': the query has p",
        ),
        (
            "SELECT record_id FROM records r JOIN predictions p ON r.record_id = p.record_id",
            "write r.record_id or p.record_id",
        ),
        ("SELECT label, count(*) FROM predictions", "the column label is neither in GROUP BY nor in an aggregate"),
        ("SELECT attributes.name FROM records", "write element_at(attributes, 'name')"),
        ("SELECT r.attributes.name FROM records r", "write element_at(attributes, 'name')"),
    ],
)
def test_wrong_sql_is_a_one_line_error_and_exits_2(zoo_lake: Lake, sql: str, message: str) -> None:
    result = run("query", sql, "--lake", zoo_lake.folder)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("pixlake: ")
    assert result.stderr.count("\n") == 1
    assert "LINE" not in result.stderr
    assert "\x1b" not in result.stderr


@pytest.fixture(scope="module")
def secretive_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """With a file that no query may read."""
    lake = fill(Lake.at(str(tmp_path_factory.mktemp("lake"))))
    (folder_of(lake) / "secret.txt").write_text("secret")
    return lake


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('/etc/passwd')",
        "read_text('/etc/passwd')",
        "read_blob('{lake}/catalog.db')",
        "read_text('{lake}/warehouse/../secret.txt')",
        "glob('/etc/*')",
        "'/etc/passwd'",
        '"/etc/passwd"',
        "sqlite_scan('{lake}/catalog.db', 'iceberg_tables')",
        "read_parquet('https://127.0.0.1/x.parquet')",
    ],
)
def test_sql_reads_no_other_file(secretive_lake: Lake, source: str) -> None:
    sql = f"SELECT * FROM {source.format(lake=secretive_lake.folder)}"
    result = run("query", sql, "--lake", secretive_lake.folder)
    assert result.exit_code == 2
    assert "secret" not in result.stdout
    assert "root" not in result.stdout


def test_the_table_format_shortens_vectors_and_shows_text_as_it_is(own_zoo_lake: Lake) -> None:
    path = "[bold]x[/bold].png"
    put_rows(own_zoo_lake, "embeddings", [{"image_path": path, "embedding": [0.5] * 512, "width": 1, "height": 1}], "2")
    result = run("query", "SELECT image_path, embedding FROM embeddings", "--lake", own_zoo_lake.folder)
    assert path in result.stdout
    assert "0.5, … 512]" in result.stdout


def test_the_table_format_stops_at_its_limit_and_says_so(zoo_lake: Lake) -> None:
    sql = "SELECT n FROM UNNEST(sequence(1, 5000)) AS t(n)"
    result = run("query", sql, "--lake", zoo_lake.folder)
    assert f"only the first {TABLE_ROWS} rows" in result.stdout
    assert len(result.stdout.splitlines()) < TABLE_ROWS + 10


WIDE = "SELECT record_id, has_image, image_paths, attributes FROM records ORDER BY 1"


def test_the_vertical_format_has_a_line_for_each_value(zoo_lake: Lake) -> None:
    lines = run("query", WIDE, "--lake", zoo_lake.folder, "--format", "vertical").stdout.splitlines()
    assert lines == [
        "*** row 1 ***",
        "  record_id: cat",
        "  has_image: true",
        "image_paths: [cat.png, cat-2.png]",
        " attributes: {name: cat, 'a'}",
        "*** row 2 ***",
        "  record_id: none",
        "  has_image: false",
        "image_paths: []",
        lines[-1],
    ]
    assert lines[-1].startswith(" attributes: {name: ")


def test_a_value_of_several_lines_stays_under_its_name(zoo_lake: Lake) -> None:
    lines = run("query", "SELECT 'a\nb' AS text, 1 AS n\\G", "--lake", zoo_lake.folder).stdout.splitlines()
    assert lines == ["*** row 1 ***", "text: a", "      b", "   n: 1"]


@pytest.mark.parametrize("end", ["\\G", " \\G;", "; \\G\n"])
def test_a_statement_that_ends_in_g_is_vertical_unless_another_format_is_named(zoo_lake: Lake, end: str) -> None:
    vertical = run("query", WIDE, "--lake", zoo_lake.folder, "--format", "vertical").stdout
    assert run("query", WIDE + end, "--lake", zoo_lake.folder).stdout == vertical
    csv = run("query", WIDE + end, "--lake", zoo_lake.folder, "--format", "csv").stdout
    assert csv.startswith("record_id,has_image,")


def test_csv_holds_lists_maps_and_times_as_text(zoo_lake: Lake) -> None:
    sql = "SELECT record_id, has_image, image_paths, attributes, uploaded_at FROM records ORDER BY 1"
    lines = run("query", sql, "--lake", zoo_lake.folder, "--format", "csv").stdout.splitlines()
    assert lines == [
        "record_id,has_image,image_paths,attributes,uploaded_at",
        'cat,true,"[""cat.png"",""cat-2.png""]","{""name"":""cat, \'a\'""}",2026-11-20T09:30:00+00:00',
        'none,false,[],"{""name"":null}",2026-11-20T09:30:00+00:00',
    ]


def test_parquet_into_a_file(zoo_lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = run("query", "SELECT * FROM embeddings", "--lake", zoo_lake.folder, "--format", "parquet", "--out", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert pq.read_table(out).num_rows == 3
    assert list(tmp_path.iterdir()) == [out]


def test_a_failed_query_leaves_the_file_as_it_was(zoo_lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("before")
    sql = "SELECT CAST(record_id AS integer) FROM records"
    assert run("query", sql, "--lake", zoo_lake.folder, "--format", "csv", "--out", out).exit_code == 2
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_missing_lake_is_an_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    result = run("query", "SELECT 1", "--lake", tmp_path / "none")
    assert result.exit_code == 1
    assert "pixlake run" in result.stderr
    assert not (tmp_path / "none").exists()


def test_the_examples_of_the_manual_run(zoo_lake: Lake) -> None:
    examples = list(commands(ROOT / "docs/cli.md"))
    assert len(examples) == 7
    for sql in examples:
        assert run("query", sql, "--lake", zoo_lake.folder).exit_code == 0, sql


def test_a_warning_stands_beside_the_rows(zoo_lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("query", "SELECT 1 / 3.0 AS x", "--lake", zoo_lake.folder, "--format", "csv")
    assert result.stdout.startswith("x\n0.33")
    assert "Warning: Athena rounds" in result.stderr + capsys.readouterr().err


def test_null_and_the_empty_text_differ_in_every_format(zoo_lake: Lake, tmp_path: Path) -> None:
    sql = "SELECT CAST(NULL AS varchar) AS a, '' AS b, ARRAY['', NULL] AS c, 'x\"y' AS d"
    shown = run("query", sql, "--lake", zoo_lake.folder).stdout
    assert "NULL" in shown
    assert "[, NULL]" in shown
    out = tmp_path / "x.csv"
    assert run("query", sql, "--lake", zoo_lake.folder, "--format", "csv", "--out", out).exit_code == 0
    assert out.read_text() == 'a,b,c,d\n,"","["""",null]","x""y"\n'
