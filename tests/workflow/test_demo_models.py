"""What a first run says: of one's own pictures that the demo model embedded them, of the sample nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.model_lakes import image
from tests.project import ROOT

PIXLAKE = Path(sys.executable).with_name("pixlake")
NOTICE = "emoji-clip is a demo model"
COMMAND = "pixlake models export open_clip:ViT-B-32 --pretrained laion2b_s34b_b79k"


def pixlake(*arguments: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([PIXLAKE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    """A lake with the sample and with an upload of one's own, and what the command said of the two."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "photos").mkdir()
    (folder / "photos" / "red.png").write_bytes(image((250, 0, 0)))
    where = folder / "lake"
    return where, pixlake("run", ROOT / "samples/emoji.zip", folder / "photos", "--lake", where, "--json")


def test_a_run_its_result_and_its_report_name_the_demo_model(
    both: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    _, done = both
    sample, photos = map(json.loads, done.stdout.splitlines())
    assert "notice" not in sample
    assert photos["notice"].startswith(NOTICE)
    assert [line for line in done.stderr.splitlines() if NOTICE in line] == [f"Notice:  {photos['notice']}"]
    assert "demo model" not in Path(sample["report"]).read_text()
    page = Path(photos["report"]).read_text()
    assert NOTICE in page
    assert f"<code>{COMMAND}</code>" in page


def test_a_search_names_the_demo_model_for_images_outside_the_sample(
    both: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    where, _ = both
    on_sample = pixlake("search", "a red heart", "--experiment", "emoji", "--lake", where)
    assert on_sample.stderr == ""
    own = pixlake("search", "a red heart", "--experiment", "photos", "--lake", where, "--json")
    assert own.stderr.startswith(f"notice: {NOTICE}")
    assert COMMAND in own.stderr
    assert len(own.stderr.splitlines()) == 1
    assert [hit["image_path"] for hit in json.loads(own.stdout)] == ["red.png"]
