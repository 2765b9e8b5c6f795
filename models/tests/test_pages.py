"""The commands of the pages on making models, each as the page shows it and a shell runs it.

A hub on loopback has networks of the real architectures with random weights; those of EfficientNet-Lite0 are real, and
AutoGluon's predictors are trained on a few rows.
"""

import json
import mmap
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file

from models.tests import pages
from models.tests.clip_configs import VISION, write_clip_config
from models.tests.loopback_hub import Content, Hub, serving_hub
from models.tests.pages import ROOT
from models.tests.pets import make_pets, make_upload, train_pair
from photo.weights import convert, find_file
from pixlake_models.photographs import list_photographs

# those of AutoGluon, Lightning and what they import
pytestmark = pytest.mark.filterwarnings("ignore")
# the environment in which people run it, which has neither torch nor AutoGluon
PROGRAMS = ROOT / ".venv" / "bin"
PACKAGES = ROOT / "build/photo-models/packages"
CLIP, TAGGED = "ViT-B-32", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
TIMM = ("resnet50.a1_in1k", "mobilenetv3_large_100.ra_in1k")
LITE0 = "build/photo-models/efficientnet-lite0-57934424.pth"
BREEDS = ("beagle", "siamese", "poodle")
PHOTOGRAPHS = ("coffee.jpg", "chelsea.jpg", "rocket.jpg")
# what builds and deploys a container
ELSEWHERE = ("make", "docker", "sam")


def keep(state: dict[str, Any], path: Path) -> mmap.mmap:
    """The weights in a file as a hub has them, mapped: a test has no second copy in memory."""
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def clip(stored: Path) -> tuple[Content, Path]:
    """ViT-B/32 as its hub has it, and a checkpoint of a training of it."""
    torch.manual_seed(0)
    state, trained = open_clip.create_model(CLIP).state_dict(), stored / "epoch_32.pt"
    torch.save({"epoch": 32, "state_dict": {f"module.{name}": value for name, value in state.items()}}, trained)
    return keep(state, stored / "clip"), trained


@pytest.fixture(scope="module")
def hub(stored: Path, clip: tuple[Content, Path]) -> Iterator[Hub]:
    torch.manual_seed(0)
    described = write_clip_config(stored, "tiny-of-the-hub")
    open_clip.add_model_config(described)
    small = open_clip.create_model(described.stem).state_dict()
    config = {"model_cfg": json.loads(described.read_text()), "preprocess_cfg": {"size": VISION["image_size"]}}
    repositories: dict[str, dict[str, Content]] = {
        TAGGED: {"open_clip_model.safetensors": clip[0]},
        "org/name": {
            "open_clip_config.json": json.dumps(config).encode(),
            "open_clip_model.safetensors": keep(small, stored / "small"),
        },
    }
    for name in TIMM:
        state = timm.create_model(name).state_dict()
        repositories[f"timm/{name}"] = {"model.safetensors": keep(state, stored / name)}
    with serving_hub(Hub(repositories)) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path, clip: tuple[Content, Path]) -> Path:
    """The user's files that the page on exporting names."""
    for name in ("photos", "holiday"):
        (tmp_path / name).mkdir()
        for each in (path for path in list_photographs() if path.name in PHOTOGRAPHS):
            shutil.copy(each, tmp_path / name)
    for name in ("my-run", "run", "build/photo-models"):
        (tmp_path / name).mkdir(parents=True)
    clip[1].rename(tmp_path / "my-run" / clip[1].name)
    torch.manual_seed(0)
    state = timm.create_model("resnet18", num_classes=len(BREEDS)).state_dict()
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "run/model_best.pth.tar")
    (tmp_path / "breeds.txt").write_text("\n".join(BREEDS))
    convert(find_file(PACKAGES), tmp_path / LITE0)
    return tmp_path


def follow(lines: Sequence[str], folder: Path, endpoint: str = "http://127.0.0.1:1") -> dict[str, str]:
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0", "PYTHONPATH": ""}
    return pages.follow(lines, folder, PROGRAMS, settings, ELSEWHERE)


def test_the_page_on_exporting_and_the_readmes_way_there(folder: Path, hub: Hub) -> None:
    page = list(pages.read_lines("docs/models-export.md"))
    readme = [
        line
        for line in pages.read_lines("README.md")
        if line.startswith(("pixlake models export", "pixlake models push"))
    ]
    printed = follow([*page, *(line for line in readme if line not in page)], folder, hub.address)
    made = [text.splitlines()[-1] for line, text in printed.items() if line.startswith("pixlake models export")]
    assert [line.partition("@")[0] for line in made] == [
        CLIP, "shoes", "hf-hub-org-name", *TIMM, "resnet18", "tf_efficientnet_lite0-int8"
    ]  # fmt: skip
    searched = printed['pixlake search "red boots" --lake my-lake']
    assert all(name in searched for name in PHOTOGRAPHS)
    (listed,) = follow(["pixlake models list --lake my-lake"], folder).values()
    assert {line.partition("@")[0] for line in listed.splitlines()} >= {CLIP, "shoes", TIMM[1]}


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor under the names that the two pages have for it, the rows that it was trained on, and an upload."""
    folder = tmp_path_factory.mktemp("adopted")
    pets = make_pets(folder)
    trained, _ = train_pair(pets, folder / "AutogluonModels")
    shutil.copytree(trained, folder / "AutogluonModels" / "pets")
    make_upload(pets, folder / "pets.zip", {"with_image": "pets"})
    return folder


def test_the_page_on_compiling(adopted: Path) -> None:
    compiled, pushed = follow(list(pages.read_lines("docs/models-compile.md")), adopted).values()
    assert "greatest difference" in compiled
    assert "adoption@" in pushed


def test_the_page_on_the_autogluon_container(adopted: Path) -> None:
    packaged, _, _ = follow(list(pages.read_lines("docs/autogluon-container.md")), adopted).values()
    assert "pets@" in packaged
    query = "pixlake query 'SELECT DISTINCT model FROM predictions' --lake lake"
    assert "pets@" in follow([query], adopted)[query]
