"""The commands of the pages on models that need no torch, each as a shell runs it.

A hub on loopback has the models, and a tiny reader of texts lies where `make photo-models` writes one in minutes.
"""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from models.tests import pages
from models.tests.loopback_hub import Hub, serving_hub
from pixlake_cli.main import cli
from tests.builders import ready, tiny
from tests.project import ROOT

PHOTOGRAPHS = ROOT / "models/pixlake_models/photographs"
WITHOUT_TORCH = ("push", "list", "show", "verify", "pull", "labels", "get", "try", "zero-shot")
# their pages are followed by models/tests/test_pages.py and test_tutorial.py
WITH_TORCH = {"compile", "export", "package", "train"}
THREE = ("coffee.jpg", "chelsea.jpg", "rocket.jpg")
NEAREST = "IMG_1234.jpg"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    halves = {f"onnx/{name}_fp16.onnx": ready.clip()[f"onnx/{name}.onnx"] for name in ("vision_model", "text_model")}
    names = ("Xenova/clip-vit-base-patch32", "Xenova/clip-vit-base-patch16")
    repositories = {name: ready.clip() | halves for name in names} | {"Xenova/dinov2-small": ready.dinov2()}
    with serving_hub(Hub(repositories)) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the pages' commands find: photographs as a folder and a zip, and a reader of texts."""
    (tmp_path / "holiday").mkdir()
    for name in THREE:
        shutil.copy(PHOTOGRAPHS / name, tmp_path / "holiday")
    shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "holiday")
    shutil.copy(PHOTOGRAPHS / THREE[0], tmp_path / "holiday" / NEAREST)
    tiny.BundleLake(tmp_path / "made").embedder("photo-words")
    (tmp_path / "build").mkdir()
    (tmp_path / "made" / "models").rename(tmp_path / "build" / "photo-models")
    return tmp_path


def rename(bundle: Path) -> Path:
    """Its `bundle.json`, with the folder's name as the model's."""
    described = bundle / "bundle.json"
    described.write_text(re.sub(r'"name": "[^"]+"', f'"name": "{bundle.name}"', described.read_text(), count=1))
    return described


def follow(page: str, folder: Path, hub: Hub) -> dict[str, str]:
    """What each command of the page printed, but for those of make."""
    return run_lines(pages.read_lines(page), folder, hub)


def run_lines(lines: Iterable[str], folder: Path, hub: Hub) -> dict[str, str]:
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    return pages.follow(lines, folder, Path(sys.executable).parent, settings)


def test_the_page_on_ready_models(folder: Path, hub: Hub) -> None:
    printed = follow("docs/models-get.md", folder, hub)
    assert [line.split()[:3] for line in printed] == [
        ["pixlake", "models", "get"],
        ["pixlake", "models", "get"],
        ["pixlake", "models", "get"],
        ["pixlake", "run", "photos.zip"],
        ["pixlake", "search", '"a'],
        ["pixlake", "models", "try"],
    ]
    found = list(printed.values())
    assert "clip-vit-b32@" in found[1]
    assert "clip-vit-base-patch16-fp16@" in found[2]
    assert all(name in found[4] for name in THREE)
    assert [line.partition("@")[0] for line in found[5].splitlines()[1:3]] == ["photo-lite0", "clip-vit-b32"]
    assert (folder / "models.html").read_text().startswith("<!doctype html>")


def test_the_page_on_photographs(folder: Path, hub: Hub) -> None:
    printed = follow("docs/photographs.md", folder, hub)
    found = {line: text for line, text in printed.items() if "models labels" in line}
    ((joined),) = found.values()
    row = next(line for line in joined.splitlines() if "coffee.jpg" in line)
    assert all(cell in row for cell in ("967", "n07920052", "espresso", "0.92"))
    nearest = next(text for line, text in printed.items() if NEAREST in line)
    assert all(name in nearest for name in THREE)
    searched = [text for line, text in printed.items() if '"a cup of coffee"' in line]
    assert len(searched) == 2
    assert all(NEAREST in text for text in searched)
    assert (folder / "found.png").read_bytes()[:4] == (folder / "cups.png").read_bytes()[:4] == b"\x89PNG"


def test_the_page_on_bundles(folder: Path, hub: Hub) -> None:
    shutil.copytree(ROOT / "bundles" / "imagenet-lite0", folder / "my-model")
    described = rename(folder / "my-model")
    verified, _, listed, card, labels, _ = follow("docs/bundles.md", folder, hub).values()
    assert "my-model" in verified
    assert "my-model@" in listed
    assert "Apache-2.0" in card
    assert "967,n07920052,espresso" in labels
    assert (folder / "copy" / "bundle.json").read_bytes() == described.read_bytes()


def test_the_page_on_zero_shot(folder: Path, hub: Hub) -> None:
    for name in ("bundles/emoji-clip", "samples"):
        shutil.copytree(ROOT / name, folder / name)
    *_, predicted = follow("docs/models-zero-shot.md", folder, hub).values()
    labels = [line.split()[-2] for line in predicted.splitlines() if ".png" in line]
    assert len(labels) > 10
    assert set(labels) <= set((folder / "kinds.txt").read_text().split())


@pytest.fixture
def prepared(folder: Path, hub: Hub) -> Path:
    """What the examples of help find: a lake with predictions and a CLIP, bundles, labels, and pets with breeds."""
    for name in ("emoji-clip", "photo-lite0"):
        shutil.copytree(ROOT / "bundles" / name, folder / "bundles" / name)
    shutil.copytree(ROOT / "bundles" / "photo-lite0", folder / "my-model")
    rename(folder / "my-model")
    (folder / "kinds.txt").write_text("animal\nvehicle\nfood\n")
    shutil.copy(folder / "photos.zip", folder / "pictures.zip")
    shutil.copytree(PHOTOGRAPHS, folder / "pets", ignore=shutil.ignore_patterns("*.md", "*.py", "__pycache__"))
    rows = [f"{path.stem},{path.name[0]}" for path in sorted((folder / "pets").iterdir())]
    (folder / "pets" / "pets.csv").write_text("\n".join(["id,breed", *rows]))
    run_lines(["pixlake run photos.zip --lake lake", "pixlake models get clip-vit-b32 --lake lake"], folder, hub)
    return folder


def test_the_examples_of_help(prepared: Path, hub: Hub) -> None:
    group = cli.get_command(click.Context(cli), "models")
    assert isinstance(group, click.Group)
    assert set(group.list_commands(click.Context(group))) == {*WITHOUT_TORCH, *WITH_TORCH}
    examples = {name: list(pages.read_examples(name)) for name in WITHOUT_TORCH}
    assert all(examples.values())
    printed = run_lines([line for lines in examples.values() for line in lines], prepared, hub)
    assert "967,n07920052,espresso" in (prepared / "labels.csv").read_text()
    assert [text for line, text in printed.items() if "label_id" in line and "espresso" in text]
    assert "emoji-clip-kinds@" in printed[examples["zero-shot"][1]]
