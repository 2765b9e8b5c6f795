"""What a commit costs in a table that has many already."""

from unittest.mock import Mock

import pyiceberg.table
import pytest
from pyiceberg.table.update import update_table_metadata

from tests.builders.executions import Execution, TableLake


def copies(lake: TableLake, number: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often pyiceberg copies the table's metadata in the commit of this upload."""
    counted = Mock(wraps=update_table_metadata)
    with monkeypatch.context() as patched:
        patched.setattr(pyiceberg.table, "update_table_metadata", counted)
        execution = Execution(lake, f"upload-{number}", day=number)
        execution.records("00000", [str(number)])
        execution.compact()
    return counted.call_count


def test_a_commit_copies_the_metadata_as_often_with_many_manifests_as_with_few(
    table_lake: TableLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [copies(table_lake, number, monkeypatch) for number in range(1, 9)]
    assert made[1] == made[-1] <= 4
