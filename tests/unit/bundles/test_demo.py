"""Demo models are told from others, the sample from other uploads, and a line says so where they do not go together."""

from pathlib import Path

import pytest

from pixlake.bundles.demo import PHOTO_MODELS, SAMPLE, is_demo, is_of_sample, is_sample, write_notice
from pixlake.bundles.folders import read_folder
from pixlake.lake import images_uri, make_upload_id
from pixlake.settings import PlanSettings
from pixlake.zips.inventory import open_inventory
from pixlake.zips.sources import open_source
from tests.project import ROOT

CLIP = {"embedder": "emoji-clip@0123456789ab"}


@pytest.mark.parametrize("bundle", sorted(path.parent for path in ROOT.glob("bundles/*/bundle.json")), ids=str)
def test_what_comes_with_pixlake_is_told_from_other_models_and_demo_models_from_the_rest(bundle: Path) -> None:
    folder = read_folder(bundle.as_uri())
    assert folder.shipped
    assert folder.demo == (bundle.name not in PHOTO_MODELS)


def test_a_model_of_ones_own_is_none() -> None:
    own = read_folder((ROOT / "tests/unit/bundles/golden/tiny").as_uri())
    assert not own.demo
    assert not own.shipped
    assert not is_demo({"origin": "open_clip 3.2.0, ViT-B-32", "rebuild": "make all"})


def test_the_sample_is_known_by_its_content() -> None:
    with open_inventory() as inventory:
        inventory.fill(open_source((ROOT / "samples/emoji.zip").as_uri()).entries(), PlanSettings("file:///lake"))
        assert inventory.fingerprint == SAMPLE


@pytest.mark.parametrize("experiment", ["emoji", "another"])
def test_the_sample_is_the_sample_in_any_experiment(experiment: str) -> None:
    upload = make_upload_id(experiment, SAMPLE)
    assert is_sample(experiment, upload)
    assert not is_sample("photos", upload)
    assert is_of_sample(experiment, f"{images_uri('s3://lake', experiment, upload)}/images/1F600.png")
    assert not is_of_sample(experiment, f"{images_uri('s3://lake', experiment, '0' * 16)}/images/1F600.png")


def test_the_notice_is_one_line_with_a_command() -> None:
    notice = write_notice(CLIP, on_sample=False)
    assert notice.startswith("emoji-clip is a demo model, trained on emoji alone")
    assert "`pixlake models get clip-vit-b32 --lake LAKE`" in notice
    assert "\n" not in notice


def test_classifiers_are_trained_not_exported() -> None:
    demo = {"with_image": "emoji-group@0123456789ab", "without_image": "emoji-group-table@0123456789ab"}
    notice = write_notice(demo, on_sample=False)
    assert notice.startswith("emoji-group, emoji-group-table are demo models")
    assert "`pixlake models train TABLE --label COLUMN`" in notice


def test_nothing_is_said_on_the_sample_or_of_other_models() -> None:
    assert write_notice(CLIP, on_sample=True) == write_notice({}, on_sample=False) == ""
