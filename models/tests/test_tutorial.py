"""The tutorial's commands do what the page says, on fewer rows and in fewer epochs."""

import csv
import io
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "tutorial-train.md"
COMMANDS = REPOSITORY / ".venv" / "bin"
EVERY = 3


def read_commands() -> str:
    """The page's blocks of shell, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) > 4
    return "\n".join(blocks)


def write_smaller_sample(target: Path) -> None:
    """Every third row, with its images."""
    with zipfile.ZipFile(REPOSITORY / "samples" / "emoji.zip") as whole, zipfile.ZipFile(target, "w") as smaller:
        rows = list(csv.reader(io.StringIO(whole.read("emoji.csv").decode())))
        kept = [rows[0], *rows[1::EVERY]]
        table = io.StringIO()
        csv.writer(table).writerows(kept)
        smaller.writestr("emoji.csv", table.getvalue())
        codes = {row[0] for row in kept}
        for name in whole.namelist():
            if Path(name).stem.partition("-")[0] in codes:
                smaller.writestr(name, whole.read(name))


@pytest.mark.skipif(not (COMMANDS / "pixlake").exists(), reason="`make setup` makes the environment that runs uploads")
def test_the_tutorials_commands_give_predictions_in_a_lake(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    write_smaller_sample(tmp_path / "samples" / "emoji.zip")
    commands = read_commands().replace("pixlake models train", "pixlake models train --epochs 1")
    environment = os.environ | {"PATH": f"{COMMANDS}:{os.environ['PATH']}", "PYTHONPATH": ""}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "emoji-kind-table, held out" in done.stdout
    predicted = re.findall(r"(emoji-kind(?:-table)?)@[0-9a-f]{12}\s+(?:image\+)?tabular\s+(\d+)", done.stdout)
    assert {name for name, _ in predicted} == {"emoji-kind", "emoji-kind-table"}
    assert all(int(count) > 10 for _, count in predicted)
