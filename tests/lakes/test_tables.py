import json
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.schemas import TABLES
from tests.builders.commands import run
from tests.builders.zoo import put_rows

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_tables_lists_rows_files_and_columns_of_each_table(own_zoo_lake: Lake) -> None:
    put_rows(own_zoo_lake, "records", [{"record_id": "new", "image_paths": [], "attributes": []}], "2")
    states = {
        state["name"]: state for state in json.loads(run("tables", "--lake", own_zoo_lake.folder, "--json").stdout)
    }
    assert list(states) == list(TABLES)
    records, rejects = states["records"], states["rejects"]
    assert (records["rows"], records["snapshots"]) == (3, 2)
    assert records["bytes"] > 0
    assert records["committed_at"].endswith("+00:00")
    assert records["columns"]["image_paths"] == "list<string>"
    assert (rejects["rows"], rejects["files"], rejects["committed_at"]) == (0, 0, None)


def test_tables_prints_a_line_for_each_table(zoo_lake: Lake) -> None:
    lines = run("tables", "--lake", zoo_lake.folder).stdout.splitlines()
    (embeddings,) = [line for line in lines if line.startswith(" embeddings ") and "KiB" in line]
    assert embeddings.split()[1] == "3"
    assert max(map(len, lines)) <= 100
    (columns,) = [line for line in lines if line.startswith(" embeddings ") and "image_path" in line]
    assert "experiment_id" in columns
    (rejects,) = [line for line in lines if line.startswith(" rejects ") and "reason" not in line]
    assert "never" in rejects


def test_maintain_expires_and_counts(own_zoo_lake: Lake) -> None:
    for number in range(3):
        put_rows(
            own_zoo_lake, "records", [{"record_id": f"r{number}", "image_paths": [], "attributes": []}], f"m{number}"
        )
    answer = run("maintain", "--lake", own_zoo_lake.folder, "--snapshot-days", "0", "--json")
    assert json.loads(answer.stdout)["expired_snapshots"] >= 3
    rows = run("query", "SELECT count(*) AS n FROM records", "--lake", own_zoo_lake.folder, "--format", "csv").stdout
    assert rows == "n\n5\n"
    assert "expired 0 snapshots" in run("maintain", "--lake", own_zoo_lake.folder).stdout


@pytest.mark.parametrize("command", [["tables"], ["maintain"], ["search", "x"], ["query", "SELECT 1"]])
def test_a_folder_without_a_lake_is_an_error_and_left_unchanged(tmp_path: Path, command: list[str]) -> None:
    result = run(*command, "--lake", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"pixlake: {tmp_path} holds no lake yet: `pixlake run UPLOAD --lake {tmp_path}` makes one\n"
    assert list(tmp_path.iterdir()) == []


def test_register_brings_back_a_lost_catalog(own_zoo_lake: Lake) -> None:
    count = ("query", "SELECT count(*) AS n FROM records", "--lake", own_zoo_lake.folder, "--format", "csv")
    before = run(*count).stdout
    for path in Path(str(own_zoo_lake.folder)).glob("catalog.db*"):
        path.unlink()
    result = run("tables", "--lake", own_zoo_lake.folder, "--register", "--json")
    assert result.stderr.count("registered ") == len(TABLES)
    assert run(*count).stdout == before


def test_register_in_a_folder_without_a_lake_leaves_it_as_it_is(tmp_path: Path) -> None:
    result = run("tables", "--lake", tmp_path, "--register")
    assert (result.exit_code, "has no folder warehouse" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_lake_can_come_from_the_environment(zoo_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXLAKE_LAKE", str(zoo_lake.folder))
    assert run("tables").exit_code == 0
