"""The blocks of docs/python.md, each in a process of its own, on the sample's lake. Run by `make test-readers`, which
has what they import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.model_lakes import image, make_zip
from tests.project import ROOT

PAGE = (ROOT / "docs/python.md").read_text()
BLOCKS = dict(re.findall(r"^## (.+?)\n.*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's names are: photos.zip, and demo-lake with the sample and, whichever block runs, both."""
    folder = tmp_path_factory.mktemp("readers")
    make_zip(folder / "photos.zip", {"a.png": image(), "b.png": image((0, 0, 255))})
    call(folder, f"import pixlake; pixlake.open('demo-lake').run({str(ROOT / 'samples/emoji.zip')!r})")
    call(folder, BLOCKS["Another upload"])
    return folder


def call(folder: Path, code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_the_page_has_a_block_below_each_heading() -> None:
    assert len(BLOCKS) == PAGE.count("```python") == PAGE.count("\n## ")


@pytest.mark.parametrize("heading", BLOCKS)
def test_a_block_runs_as_it_stands(folder: Path, heading: str) -> None:
    printed = call(folder, BLOCKS[heading])
    assert bool(printed.strip()) == ("print" in BLOCKS[heading])


def test_what_the_page_reads_is_what_the_run_wrote(folder: Path) -> None:
    code = BLOCKS["In one line"] + "print(len(records), len(embeddings), embeddings.columns, labels['n'].sum())"
    assert call(folder, code).split() == ["608", "642", "['image_path',", "'embedding']", "610"]
