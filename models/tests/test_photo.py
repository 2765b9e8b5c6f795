"""Search of photographs by words, on the real weights that `make photo-models` unpacks; the vectors are held against
numpy and transformers, the order of the answers against chance."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from photo.build import make_reader
from photo.conse import CLASSES, find_sentences
from photo.weights import convert, find_file
from pixlake.bundles.folders import read_folder
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from pixlake_models.exporting.writing import write_bundle
from pixlake_models.photographs import list_photographs

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "build/photo-models/packages"
PAGE = (ROOT / "docs/photographs.md").read_text()
QUERIES = {
    "astronaut.jpg": "an astronaut in a space suit",
    "brick.jpg": "a brick wall",
    "camera.jpg": "a man with a camera on a tripod",
    "chelsea.jpg": "a cat",
    "china.jpg": "a temple in China",
    "coffee.jpg": "a cup of coffee",
    "coins.jpg": "old coins",
    "flower.jpg": "a flower",
    "grace_hopper.jpg": "a woman in a military uniform",
    "grass.jpg": "grass on a lawn",
    "gravel.jpg": "gravel and stones",
    "hubble_deep_field.jpg": "stars and galaxies in space",
    "retina.jpg": "a scan of an eye",
    "rocket.jpg": "a rocket launch",
}
Vectors = NDArray[np.float32]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """As the command makes it, in float32 and before its proof."""
    folder = tmp_path_factory.mktemp("made")
    convert(find_file(PACKAGES), folder / "weights.pth")
    made = make_reader(PACKAGES, folder / "weights.pth")
    write_bundle(folder / "photo-words", msgspec.structs.replace(made.manifest, name="photo-words"), made.files)
    return Embedder(read_folder((folder / "photo-words").as_uri()))


@pytest.fixture(scope="module")
def tensors(embedder: Embedder) -> list[Vectors]:
    spec = embedder.preprocessing
    return [tensor(decode_for(path.read_bytes(), spec, 10**7), spec) for path in list_photographs()]


@pytest.fixture(scope="module")
def sentences() -> torch.nn.Module:
    model: torch.nn.Module = AutoModel.from_pretrained(find_sentences(PACKAGES))
    return model.eval()


def embed_alone(network: torch.nn.Module, texts: Sequence[str]) -> Vectors:
    """Each text by itself, without a mask, by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(find_sentences(PACKAGES))
    rows = []
    for text in texts:
        with torch.no_grad():
            rows.append(network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy())
    vectors = np.stack(rows)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_texts_have_the_vectors_of_the_sentences_network_whatever_is_asked_beside_them(
    embedder: Embedder, sentences: torch.nn.Module
) -> None:
    texts = [*QUERIES.values(), "word " * 60]
    assert np.abs(embedder.embed_texts(texts) - embed_alone(sentences, texts)).max() < 1e-5


def test_a_picture_is_the_mean_of_its_ten_likeliest_classes_sentences(
    embedder: Embedder, tensors: list[Vectors], sentences: torch.nn.Module
) -> None:
    classifier = Classifier(read_folder((ROOT / "bundles/imagenet-lite0").as_uri()))
    (predicted,) = classifier.predict([Example(images=[tensors[5]])])
    assert predicted
    assert predicted.probabilities
    best = sorted(predicted.probabilities.items(), key=lambda each: -each[1])[:CLASSES]
    names = [re.sub(r" \(n\d{8}\)$", "", label) for label, _ in best]
    vectors = embed_alone(sentences, [f"a photo of a {name}" for name in names])
    mean = np.array([share for _, share in best]) @ vectors
    # the classifier's weights are float16
    assert mean / np.linalg.norm(mean) @ embedder.embed_tensors(tensors[5:6])[0] > 0.9999


def test_words_find_their_photograph_far_more_often_than_chance(embedder: Embedder, tensors: list[Vectors]) -> None:
    assert list(QUERIES) == [path.name for path in list_photographs()]
    likeness = embedder.embed_texts(list(QUERIES.values())) @ embedder.embed_tensors(tensors).T
    ranks = (likeness > likeness.diagonal()[:, None]).sum(axis=1)
    recall = {f"recall@{count}": round(float((ranks < count).mean()), 2) for count in (1, 5)}
    chance = {f"recall@{count}": round(count / len(QUERIES), 2) for count in (1, 5)}
    assert (recall, chance) == ({"recall@1": 0.86, "recall@5": 1.0}, {"recall@1": 0.07, "recall@5": 0.36})
    for count in (1, 5):
        measured, random = recall[f"recall@{count}"], chance[f"recall@{count}"]
        assert f"| {count} | {measured:.2f} | {random:.2f} |" in PAGE
