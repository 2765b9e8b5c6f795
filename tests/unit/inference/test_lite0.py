"""The models that come with Pixlake for photographs, real weights on real photographs; no torch is needed."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from tests.project import ROOT

PHOTOGRAPHS = sorted((ROOT / "models/pixlake_models/photographs").glob("*.jpg"))
# of the original network on torch, by `make photo-answers`
ANSWERS = json.loads((ROOT / "tests/unit/bundles/golden/lite0.json").read_text())
PLAIN = {"chelsea.jpg": "Egyptian cat", "coffee.jpg": "espresso", "camera.jpg": "tripod", "china.jpg": "palace"}
FLOAT16 = 0.005  # between a probability by float16 weights and the original's


def open_bundle(name: str) -> BundleFolder:
    return read_folder((ROOT / "bundles" / name).as_uri())


@pytest.fixture(scope="module")
def predictions() -> dict[str, Prediction]:
    classifier = Classifier(open_bundle("imagenet-lite0"), 1)
    assert classifier.image_input
    spec = classifier.image_input.preprocessing
    tensors = [tensor(decode_for(path.read_bytes(), spec, 10**7), spec) for path in PHOTOGRAPHS]
    found = classifier.predict([Example(images=[each]) for each in tensors])
    return {path.name: each for path, each in zip(PHOTOGRAPHS, found, strict=True) if each}


@pytest.mark.parametrize("name", [path.name for path in PHOTOGRAPHS])
def test_the_classifier_answers_as_the_original_network(predictions: dict[str, Prediction], name: str) -> None:
    shares = list((predictions[name].probabilities or {}).values())
    assert int(np.argmax(shares)) == ANSWERS[name][0]["class_id"]
    assert [shares[each["class_id"]] for each in ANSWERS[name]] == pytest.approx(
        [each["score"] for each in ANSWERS[name]], abs=FLOAT16
    )


def test_plain_photographs_get_their_label(predictions: dict[str, Prediction]) -> None:
    assert {name: predictions[name].label for name in PLAIN} == PLAIN


def test_every_class_has_a_name_of_its_own() -> None:
    labels = open_bundle("imagenet-lite0").manifest.labels
    assert len(labels) == len(set(labels)) == 1000
    assert [labels[number] for number in (0, 134, 517, 999)] == [
        "tench",
        "crane (n02012849)",
        "crane (n03126707)",
        "toilet tissue",
    ]


def test_every_class_has_its_wordnet_id() -> None:
    found = open_bundle("imagenet-lite0").manifest.ids_by_label
    assert len(found) == 1000
    assert [found[label] for label in ("tench", "espresso", "Egyptian cat", "crane (n02012849)")] == [
        "n01440764",
        "n07920052",
        "n02124075",
        "n02012849",
    ]


def _altered() -> Iterator[Image.Image]:
    """Mirrored, smaller and darker."""
    for path in PHOTOGRAPHS:
        with Image.open(path) as image:
            small = ImageOps.mirror(image.convert("RGB")).resize((240, 240 * image.height // image.width))
            yield Image.eval(small, lambda level: level * 8 // 10)


def test_a_photographs_nearest_neighbour_is_the_same_one_altered() -> None:
    embedder = Embedder(open_bundle("photo-lite0"), 1)
    spec = embedder.preprocessing
    photographs = [decode_for(path.read_bytes(), spec, 10**7).pixels for path in PHOTOGRAPHS]
    likeness = embedder.embed_images(list(_altered())) @ embedder.embed_images(photographs).T
    assert likeness.argmax(axis=1).tolist() == list(range(len(PHOTOGRAPHS)))


@pytest.mark.parametrize("name", ["imagenet-lite0", "photo-lite0"])
def test_float16_keeps_its_floor_on_photographs(name: str) -> None:
    found = open_bundle(name).manifest.metrics["fp16"]
    assert found.get("same_label", 1) >= 0.95
    assert found.get("image_cosine_mean", 1) >= 0.999


def test_every_photograph_here_has_its_licence_named() -> None:
    page = (ROOT / "models/pixlake_models/photographs/LICENSES.md").read_text()
    assert [path.name for path in PHOTOGRAPHS if f"`{path.name}`" not in page] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("bundles/*/bundle.json")), ids=lambda path: path.parent.name)
def test_every_bundle_that_comes_with_pixlake_has_its_licence_named(path: Path) -> None:
    source = read_folder(path.parent.as_uri()).manifest.source
    page = (ROOT / "bundles/LICENSES.md").read_text()
    assert source["licence"] == "Apache-2.0"
    assert f"`{path.parent.name}`" in page
    assert source.get("weights", "").rpartition(" ")[2] in page


def test_what_ships_is_below_30_megabytes() -> None:
    files = [path for folder in ("bundles", "samples") for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 30_000_000
