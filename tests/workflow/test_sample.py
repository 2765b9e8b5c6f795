"""The sample, images of one's own by the demo model, which says so, and by the models that no upload needs to name.

And from words to rows: a classifier made of the demo model predicts the images that no record names.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from pixlake.bundles.folders import read_folder
from pixlake.iceberg.lakes import Lake
from pixlake.inference.embedder import Embedder
from tests.builders.commands import run
from tests.builders.model_lakes import image, make_zip, rows
from tests.project import ROOT

PIXLAKE = Path(sys.executable).with_name("pixlake")
LABELS = ["face", "animal", "flag", "hand", "vegetable"]
EMBEDDER, SAMPLE = ROOT / "bundles" / "emoji-clip", ROOT / "samples" / "emoji.zip"
SCALE = 30.0
NOTICE = "emoji-clip is a demo model"
COMMAND = "pixlake models get clip-vit-b32 --lake LAKE"


def pixlake(*arguments: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([PIXLAKE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def labelled_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """With the classifier `kinds`."""
    folder = tmp_path_factory.mktemp("zero-shot")
    (folder / "kinds.txt").write_text("\n".join(LABELS))
    options = ["--labels", folder / "kinds.txt", "--template", "{} emoji", "--scale", SCALE]
    assert run("models", "zero-shot", EMBEDDER, *options, "--output", folder / "kinds").exit_code == 0
    assert run("models", "push", folder / "kinds", "--lake", folder / "lake").exit_code == 0
    return Lake.at(str(folder / "lake"))


@pytest.fixture(scope="module")
def sample(labelled_lake: Lake) -> "subprocess.CompletedProcess[str]":
    """What the command said of the sample."""
    return pixlake("run", SAMPLE, "--image-classifier", "kinds", "--json", "--lake", labelled_lake.folder)


@pytest.fixture(scope="module")
def own(labelled_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """And of two uploads of one's own that name the demo model, of which one names its classifier."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "photos").mkdir()
    (folder / "photos" / "red.png").write_bytes(image((250, 0, 0)))
    (folder / "photos" / "pixlake.json").write_text(json.dumps({"embedder": "emoji-clip"}))
    with zipfile.ZipFile(SAMPLE) as archive:
        pictures = {name: archive.read(name) for name in archive.namelist() if "/unsorted/" in name}
    settings = json.dumps({"embedder": "emoji-clip", "classifier": {"orphan": "kinds"}})
    unsorted = make_zip(folder / "unsorted.zip", {"pixlake.json": settings, **pictures})
    return run("run", folder / "photos", unsorted, "--json", "--lake", labelled_lake.folder)


def test_a_run_its_result_and_its_report_name_the_demo_model(
    sample: "subprocess.CompletedProcess[str]", own: Result
) -> None:
    on_sample, photos = json.loads(sample.stdout), json.loads(own.stdout.splitlines()[0])
    assert "notice" not in on_sample
    assert photos["notice"].startswith(NOTICE)
    assert "demo model" not in sample.stderr
    assert [line for line in own.stderr.splitlines() if NOTICE in line] == [f"Notice:  {photos['notice']}"]
    assert "demo model" not in Path(on_sample["report"]).read_text()
    page = Path(photos["report"]).read_text()
    assert NOTICE in page
    assert f"<code>{COMMAND}</code>" in page


@pytest.mark.usefixtures("sample", "own")
def test_a_search_names_the_demo_model_for_images_outside_the_sample(labelled_lake: Lake) -> None:
    on_sample = run("search", "a red heart", "--experiment", "emoji", "--lake", labelled_lake.folder)
    assert (on_sample.exit_code, on_sample.stderr) == (0, "")
    photos = run("search", "a red heart", "--experiment", "photos", "--lake", labelled_lake.folder, "--json")
    assert photos.stderr.startswith(f"notice: {NOTICE}")
    assert COMMAND in photos.stderr
    assert len(photos.stderr.splitlines()) == 1
    assert [hit["image_path"] for hit in json.loads(photos.stdout)] == ["red.png"]


def test_photographs_get_labels_and_neighbours_where_no_model_is_named(labelled_lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    for name in ("chelsea.jpg", "coffee.jpg"):
        shutil.copy(ROOT / "models/pixlake_models/photographs" / name, tmp_path / "holiday")
    done = run("run", tmp_path / "holiday", "--json", "--lake", labelled_lake.folder)
    assert "notice" not in json.loads(done.stdout)
    found = rows(labelled_lake, "predictions", "holiday")
    assert {row["image_path"]: row["label"] for row in found} == {
        "chelsea.jpg": "Egyptian cat",
        "coffee.jpg": "espresso",
    }
    asked = ["search", ROOT / "models/pixlake_models/photographs/coffee.jpg", "--experiment", "holiday", "--json"]
    best, second = json.loads(run(*asked, "--lake", labelled_lake.folder).stdout)
    assert best["image_path"] == "coffee.jpg"
    assert best["score"] > 0.999 > second["score"] + 0.3


def expected_probabilities(labelled_lake: Lake, experiment: str) -> dict[str, list[float]]:
    """By image: a softmax over the cosines of the vectors in the table with those of the prompts."""
    texts = Embedder(read_folder(EMBEDDER.as_uri())).embed_texts([f"{label} emoji" for label in LABELS])
    found = rows(labelled_lake, "embeddings", experiment)
    powers = np.exp(SCALE * (np.array([row["embedding"] for row in found]) @ texts.T.astype(np.float64)))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return {row["image_path"]: share.tolist() for row, share in zip(found, shares, strict=True)}


def check_orphans(labelled_lake: Lake, experiment: str, count: int) -> None:
    expected = expected_probabilities(labelled_lake, experiment)
    orphans = [row for row in rows(labelled_lake, "predictions", experiment) if row["record_id"] is None]
    assert len(orphans) == count
    for row in orphans:
        assert (row["modality"], row["model"].partition("@")[0]) == ("image", "kinds")
        shares = dict(row["probabilities"])
        assert list(shares) == LABELS
        assert list(shares.values()) == pytest.approx(expected[row["image_path"]], abs=1e-5)
        assert row["label"] == max(shares, key=lambda label: shares[label])


def test_orphans_and_records_of_the_sample_are_each_predicted_by_their_model(
    labelled_lake: Lake, sample: "subprocess.CompletedProcess[str]"
) -> None:
    answer = json.loads(sample.stdout)
    assert (answer["records"], answer["predicted"]) == (608, 628)
    check_orphans(labelled_lake, "emoji", 20)
    named = {
        row["image_path"]: row["label"] for row in rows(labelled_lake, "predictions", "emoji") if row["image_path"]
    }
    assert {label for path, label in named.items() if "/flag__" in path} == {"flag"}


def test_an_upload_of_images_names_its_classifier_itself(labelled_lake: Lake, own: Result) -> None:
    answer = json.loads(own.stdout.splitlines()[1])
    assert (answer["records"], answer["embedded"], answer["predicted"]) == (0, 20, 20)
    check_orphans(labelled_lake, "unsorted", 20)
