import json
import subprocess
import sys
from pathlib import Path

import pytest

import pixlake
from pixlake.errors import BadRequest, CatalogError
from pixlake.iceberg.catalog import connect
from pixlake.iceberg.lakes import Lake
from pixlake.options import FIELDS, decode_options
from pixlake_cli.main import COMMANDS, Failure, WrongUsage, cli
from tests.builders.commands import run
from tests.project import ROOT


def test_every_command_is_listed_and_has_help() -> None:
    overview = run("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in overview
        assert run(name, "--help").exit_code == 0


def test_version_prints_the_packages_version() -> None:
    assert run("--version").stdout == f"pixlake, version {pixlake.__version__}\n"


@pytest.mark.parametrize("arguments", [["nope"], ["tables"], ["tables", "--nope"], ["tables", "--lake", "http://x"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_error_of_several_lines_is_shown_as_one() -> None:
    assert Failure(CatalogError("two\n  lines")).format_message() == "two lines"
    assert (Failure.exit_code, WrongUsage(BadRequest("x")).exit_code) == (1, 2)


def test_a_lake_that_cannot_be_created_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (upload := tmp_path / "a.zip").write_bytes(b"")
    failed = run("run", str(upload), "--lake", str(tmp_path / "file"))
    assert failed.exit_code == 1
    assert failed.stderr.startswith("pixlake: ")
    assert "/file/models: Not a directory" in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_the_command_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys; from pixlake_cli.main import cli; print(*sorted({'duckdb', 'pyarrow', 'moto'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_a_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in ("my lake", f"file://{tmp_path}/my lake", f"{tmp_path}/my lake/"):
        lake = Lake.at(where)
        assert (lake.uri, lake.folder) == (f"file://{tmp_path}/my lake", tmp_path / "my lake")
        assert lake.catalog_uri == f"sqlite:///{tmp_path}/my lake/catalog.db"


def test_the_tables_of_a_bucket_are_in_glue() -> None:
    assert Lake.at("s3://bucket/") == Lake("s3://bucket", "glue://pixlake", None)
    assert Lake.at("s3://bucket").in_database("pets") == Lake("s3://bucket", "glue://pets", None)
    with pytest.raises(BadRequest):
        connect("", "glue://Not-this")


def test_a_folder_has_a_catalog_of_its_own(tmp_path: Path) -> None:
    assert Lake.at(str(tmp_path)).in_database("pets") == Lake.at(str(tmp_path))


def test_cli_md_is_what_the_commands_say() -> None:
    from pixlake_cli.manual import write_manual

    path = ROOT / "docs/cli.md"
    assert path.read_text() == write_manual(cli), "run `make docs`"


def test_pixlake_json_md_is_what_the_code_reads() -> None:
    from pixlake.messages import Options
    from pixlake_cli.fields import write_fields

    page = write_fields()
    assert (ROOT / "docs/pixlake-json.md").read_text() == page, "run `make docs`"
    assert page.count("\n| `") == len(FIELDS)
    example = page.partition("```json\n")[2].partition("```")[0]
    assert set(json.loads(example)) == set(Options.__struct_fields__)
    assert decode_options(example.encode(), "pixlake.json").complete
