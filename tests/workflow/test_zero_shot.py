"""From words to rows: a classifier made of the demo embedder predicts the images that no record names."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pixlake.bundles.folders import read_folder
from pixlake.iceberg.lakes import Lake
from pixlake.inference.embedder import Embedder
from tests.builders.model_lakes import make_zip, rows
from tests.project import ROOT

PIXLAKE = Path(sys.executable).with_name("pixlake")
LABELS = ["face", "animal", "flag", "hand", "vegetable"]
EMBEDDER, SAMPLE = ROOT / "bundles" / "emoji-clip", ROOT / "samples" / "emoji.zip"
SCALE = 30.0


@pytest.fixture(scope="module")
def labelled_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """With the classifier `kinds`."""
    folder = tmp_path_factory.mktemp("zero-shot")
    (folder / "kinds.txt").write_text("\n".join(LABELS))
    options = ["--labels", folder / "kinds.txt", "--template", "{} emoji", "--scale", SCALE]
    pixlake("models", "zero-shot", EMBEDDER, *options, "--output", folder / "kinds")
    pixlake("models", "push", folder / "kinds", "--lake", folder / "lake")
    return Lake.at(str(folder / "lake"))


def pixlake(*arguments: object) -> str:
    done = subprocess.run([PIXLAKE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


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


def test_orphans_and_records_of_the_sample_are_each_predicted_by_their_model(labelled_lake: Lake) -> None:
    answer = json.loads(pixlake("run", SAMPLE, "--image-classifier", "kinds", "--json", "--lake", labelled_lake.folder))
    assert (answer["records"], answer["predicted"]) == (608, 628)
    check_orphans(labelled_lake, "emoji", 20)
    named = {
        row["image_path"]: row["label"] for row in rows(labelled_lake, "predictions", "emoji") if row["image_path"]
    }
    assert {label for path, label in named.items() if "/flag__" in path} == {"flag"}


def test_an_upload_of_images_names_its_classifier_itself(labelled_lake: Lake, tmp_path: Path) -> None:
    with zipfile.ZipFile(SAMPLE) as sample:
        pictures = {name: sample.read(name) for name in sample.namelist() if "/unsorted/" in name}
    settings = json.dumps({"embedder": "emoji-clip", "classifier": {"orphan": "kinds"}})
    upload = make_zip(tmp_path / "unsorted.zip", {"pixlake.json": settings, **pictures})
    answer = json.loads(pixlake("run", upload, "--json", "--lake", labelled_lake.folder))
    assert (answer["records"], answer["embedded"], answer["predicted"]) == (0, 20, 20)
    check_orphans(labelled_lake, "unsorted", 20)
