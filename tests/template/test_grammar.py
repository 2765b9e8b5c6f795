"""Every statement that Athena is given is in its grammar.

SELECT and MERGE are Trino's, and parsed by its own. Table definitions are Hive's, OPTIMIZE and VACUUM Athena's alone:
these are held against the syntax lines of Athena's guide.
"""

import re

import pytest
from trino_query_parser import TrinoSyntaxError, parse_statement

from tests.statements import PAGES, statements, written

NAME = r"[a-z_][a-z0-9_]*"
TEXT = r"'(?:[^']|'')*'"
KIND = r"(?:string|boolean|int|bigint|float|double|timestamp|array<float>|array<string>|map<string,(?:string|double)>)"
COLUMNS = rf"\(`{NAME}` {KIND}(?:, `{NAME}` {KIND})*\)"
PROPERTIES = rf"\({TEXT} = {TEXT}(?:, {TEXT} = {TEXT})*\)"
SYNTAX = {
    "register": rf"CREATE EXTERNAL TABLE IF NOT EXISTS `{NAME}` {COLUMNS} PARTITIONED BY {COLUMNS}"
    rf" STORED AS PARQUET LOCATION 's3://[^']+/' TBLPROPERTIES {PROPERTIES}",
    "keep": rf"ALTER TABLE {NAME} SET TBLPROPERTIES {PROPERTIES}",
    "optimize": rf"OPTIMIZE {NAME} REWRITE DATA USING BIN_PACK WHERE (?P<predicate>.+)",
    "vacuum": rf"VACUUM {NAME}",
}
# of an Iceberg table; Athena refuses any other
ICEBERG_PROPERTIES = {
    *("format", "write_compression", "optimize_rewrite_data_file_threshold", "optimize_rewrite_delete_file_threshold"),
    *("vacuum_min_snapshots_to_keep", "vacuum_max_snapshot_age_seconds", "vacuum_max_metadata_files_to_keep"),
}


WRITTEN = written()
STATEMENTS = statements()


def parse(sql: str) -> None:
    """TrinoSyntaxError where Trino's grammar has no such statement, SyntaxError for names quoted as Hive quotes them:
    Trino's grammar has them, and its parser refuses them."""
    if "`" in sql:
        raise SyntaxError("backquoted identifiers are not supported")
    parse_statement(sql)


def test_statements_come_from_everywhere() -> None:
    sources = {name.partition(" ")[0] for name in STATEMENTS}
    assert {"README.md", "cli.md", "merge", "summary", "make", "report", "NearestImagesQuery"} <= sources
    shown = sum(len(re.findall(r'pixlake query\b[^`\n]*(?:SELECT|"WITH)', page.read_text())) for page in PAGES)
    assert shown == sum(".md " in name for name in STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
def test_trinos_grammar_has_the_statement(name: str) -> None:
    parse(STATEMENTS[name])


@pytest.mark.parametrize(
    "sql", ["SELECT FROM records", "SELECT 1;", "SELECT `a` FROM records", "VACUUM records", "SELECT TOP 1 a FROM b"]
)
def test_what_is_no_statement_of_trinos_is_told(sql: str) -> None:
    with pytest.raises((TrinoSyntaxError, SyntaxError)):
        parse(sql)


@pytest.mark.parametrize("kind", SYNTAX)
@pytest.mark.parametrize("name", WRITTEN)
def test_athenas_own_statements_follow_its_syntax_lines(name: str, kind: str) -> None:
    sql = getattr(WRITTEN[name], kind)
    found = re.fullmatch(SYNTAX[kind], sql)
    assert found, sql
    if "predicate" in found.groupdict():
        parse(f"SELECT 1 FROM {WRITTEN[name].table} WHERE {found['predicate']}")


def test_an_iceberg_table_gets_properties_that_athena_knows() -> None:
    for table in WRITTEN.values():
        assert set(re.findall(r"'([^']+)' = ", table.keep)) <= ICEBERG_PROPERTIES
