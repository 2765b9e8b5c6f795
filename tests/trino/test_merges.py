"""Athena's statements, run by its own kind of engine, leave the rows that the function leaves."""

from pathlib import Path
from typing import Any

import pytest

from pixlake.messages import CompactAnswer
from pixlake.parts.handover import MERGED
from pixlake.settings import Engine
from tests.builders.executions import Execution, TableLake, fill
from tests.builders.tables import Dictionary, Said, assert_agreement, tabulate
from tests.trino.answers import canonical
from tests.trino.databases import Database

UPLOADS = [
    Said(1, {"a": ["p"], "b": ["q", "s"]}, ["r"]),
    Said(4, {"b": ["p"], "c": ["r"]}),
    Said(2, {"a": [], "b": ["s"]}, by_image=False),
]


def merge(database: Database, answer: CompactAnswer) -> None:
    for table in answer.statements:
        for sql in (table.register, table.merge, table.keep, table.vacuum):
            database.run(sql)


def optimize(database: Database, answer: CompactAnswer) -> None:
    for sql in sorted({table.optimize for table in answer.statements}):
        database.run(sql)


def comparable(rows: list[dict[str, Any]]) -> list[str]:
    """The rows without an order, in one notation."""
    return sorted(str([canonical(value) for value in row.values()]) for row in rows)


def test_merges_leave_the_rows_that_the_function_leaves(s3_database: Database, tmp_path: Path) -> None:
    by_function = TableLake(tmp_path / "function")
    for number, day in enumerate([2, 1]):
        for lake in (by_function, s3_database):
            execution = Execution(lake, f"it's run {number}", day)
            fill(execution)
            execution.embed("embed-2", [f"day {day}.jpg", f"lost-{day}.jpg"], lost=day == 2)
            if lake is by_function:
                execution.compact()
            else:
                answer = execution.compact(compaction_engine=Engine.ATHENA)
                merge(s3_database, answer)
    expected = {name: comparable(by_function.rows(name)) for name in MERGED}
    assert {name: comparable(s3_database.rows(name)) for name in MERGED} == expected
    assert {name: comparable(s3_database.asked_rows(name)) for name in MERGED} == expected
    # once more, and packed: nothing changes
    merge(s3_database, answer)
    optimize(s3_database, answer)
    assert {name: comparable(s3_database.rows(name)) for name in MERGED} == expected
    assert {sql.split()[0] for sql in s3_database.not_run} == {"ALTER", "VACUUM"}


def test_merges_leave_what_a_dictionary_leaves(folder_database: Database) -> None:
    model = Dictionary()
    for number, said in enumerate(UPLOADS):
        execution = Execution(folder_database, f"run-{number}", said.day)
        execution.say(said)
        # the two engines take turns: one reads what the other wrote
        if number % 2:
            execution.compact()
        else:
            merge(folder_database, execution.compact(compaction_engine=Engine.ATHENA))
        model.add(said)
        found = {name: folder_database.rows(name) for name in ("records", "embeddings", "predictions")}
        assert_agreement(found)
        assert tabulate(found) == model.tables(), number


@pytest.mark.parametrize("name", MERGED)
def test_an_empty_table_is_read(s3_database: Database, name: str) -> None:
    assert s3_database.rows(name) == s3_database.asked_rows(name) == []
