"""`pixlake query`, as a process of its own."""

import subprocess
import sys

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.sql.images import choose_images
from pixlake.sql.limited import read_rows
from tests.builders.zoo import MODEL, fill


@pytest.fixture(scope="module")
def zoo_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("zoo"))))


def test_a_closed_pipe_ends_the_command_without_a_traceback(zoo_lake: Lake) -> None:
    sql = "SELECT n, repeat('x', 100) AS s FROM UNNEST(sequence(1, 200000)) AS t(n)"
    command = [sys.executable, "-c", "from pixlake_cli.main import cli; cli()"]
    process = subprocess.Popen(
        [*command, "query", sql, "--lake", str(zoo_lake.folder), "--format", "csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"n,s\n"
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 1
    assert errors == b""


def test_an_output_file_that_cannot_be_written_is_a_one_line_error(zoo_lake: Lake) -> None:
    # in a process of its own: what DuckDB has to say of objects left over comes at the interpreter's end
    arguments = ["query", "SELECT record_id FROM records", "--lake", str(zoo_lake.folder), "--out", "/nowhere/x"]
    code = "import sys; from pixlake_cli.main import cli; cli(sys.argv[1:])"
    failed = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr == "pixlake: cannot write /nowhere/x: No such file or directory\n"


def test_a_warning_of_the_process_that_answers_is_the_commands(
    zoo_lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    with read_rows(zoo_lake, "SELECT 1 / 3.0 AS x") as rows:
        assert rows.read_all().num_rows == 1
    assert capsys.readouterr().err.startswith("Warning: Athena rounds ")


def test_a_condition_is_evaluated_on_files_that_this_process_found(zoo_lake: Lake) -> None:
    chosen = choose_images(zoo_lake, MODEL, None, "label = 'animal' AND element_at(attributes, 'name') LIKE 'cat%'")
    assert {name: paths.to_pylist() for name, paths in chosen.paths.items()} == {"zoo": ["cat.png"]}
