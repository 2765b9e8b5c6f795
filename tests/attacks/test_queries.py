"""A query that asks for more than the machine has is stopped, and says what to do; the machine goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.zoo import fill

_CROSS = "UNNEST(sequence(1, 100000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 100000)) AS b(y)"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("lake"))))


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT array_agg(x) FROM {_CROSS}",
        "SELECT sequence(1, 1000000000)",
        "SELECT array_agg(repeat('x', 1000000)) FROM UNNEST(sequence(1, 100000)) AS a(x)",
    ],
    ids=["array_agg", "sequence", "texts"],
)
def test_a_query_above_its_memory_is_stopped_and_says_what_to_do(lake: Lake, sql: str) -> None:
    result = run("query", sql, "--lake", lake.folder, "--format", "json", "--memory", "600MB")
    assert result.exit_code == 2
    assert result.stderr.startswith("pixlake: the query needs more than 600 MB: select fewer columns or rows")
    assert result.stderr.count("\n") == 1


def test_a_recursion_without_end_is_stopped_and_says_what_to_do(lake: Lake) -> None:
    sql = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT max(n) FROM t"
    result = run("query", sql, "--lake", lake.folder, "--timeout", "3")
    assert result.exit_code == 2
    assert result.stderr.startswith("pixlake: stopped after 3 s: ")
    assert "put a condition into a recursion, or give it longer by --timeout" in result.stderr


def test_nothing_of_a_stopped_query_is_left(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    sql = f"SELECT x, y FROM {_CROSS} ORDER BY y, x"
    out = tmp_path / "out.csv"
    arguments = ("--lake", lake.folder, "--format", "csv", "--out", out, "--timeout", "4", "--memory", "600MB")
    assert run("query", sql, *arguments).exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT DATE '9999-12-31' + INTERVAL '1' DAY", "json"),
        ("SELECT DATE '9999-12-31' + INTERVAL '1' DAY", "table"),
        ("SELECT * FROM test_all_types()", "json"),
        ("SELECT * FROM test_all_types()", "csv"),
    ],
)
def test_a_value_that_a_format_cannot_have_is_a_one_line_error(lake: Lake, sql: str, kind: str) -> None:
    result = run("query", sql, "--lake", lake.folder, "--format", kind)
    assert result.exit_code == 2
    assert result.stderr.startswith("pixlake: ")
    assert result.stderr.count("\n") == 1
    assert "--format parquet" in result.stderr


def test_the_rows_and_the_errors_of_the_process_that_answers_arrive(lake: Lake, tmp_path: Path) -> None:
    result = run("query", "SELECT count(*) AS n FROM embeddings", "--lake", lake.folder, "--format", "json")
    assert (result.exit_code, result.stdout) == (0, '[\n {"n":3}\n]\n')
    out = tmp_path / "out.csv"
    assert run("query", "SELECT 1 AS x", "--lake", lake.folder, "--format", "csv", "--out", out).exit_code == 0
    assert out.read_text() == "x\n1\n"
    result = run("query", "SELECT nope FROM records", "--lake", lake.folder)
    assert result.exit_code == 2
    assert "there is no column nope" in result.stderr


@pytest.mark.parametrize("size", ["much", "-1GB", "100MB", "4XB"])
def test_a_memory_that_is_no_size_or_too_small_is_refused(lake: Lake, size: str) -> None:
    assert run("query", "SELECT 1", "--lake", lake.folder, "--memory", size).exit_code == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_query_ends_at_once(lake: Lake, name: str) -> None:
    """The process that answers too, however the command ends."""
    sql = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT max(n) FROM t"
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from pixlake_cli.main import cli; cli(sys.argv[1:])"
    command = [sys.executable, "-c", code, "query", sql, "--lake", str(lake.folder), "--timeout", "60"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    children = _children(process.pid)
    process.send_signal(getattr(signal, name))
    assert process.wait(10) != 0
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    _wait_for_the_end(children)


def _children(pid: int) -> list[int]:
    for _ in range(600):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if found:
            return [int(child) for child in found]
        time.sleep(0.05)
    raise AssertionError("no process answers")


def _wait_for_the_end(pids: list[int]) -> None:
    for _ in range(200):
        if not any(_alive(pid) for pid in pids):
            return
        time.sleep(0.05)
    raise AssertionError(f"{pids} go on")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
