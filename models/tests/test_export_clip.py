"""The exported towers embed as torch does."""

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from pixlake.inference.bundles import load_embedder
from pixlake_models import export_clip as export
from pixlake_models.errors import NotEqual
from pixlake_models.export_clip import ClipSource, export_clip
from pixlake_models.graphs import export_graph


def test_pictures_of_any_shape_embed_as_in_training(clip_source: ClipSource, target: Path, tmp_path: Path) -> None:
    """Torchvision's transforms, which open_clip trains with, against the bundle's preprocessing."""
    export_clip(clip_source, target, {"measured": 1})
    random = np.random.default_rng(1)
    sizes = [(32, 32), (90, 41), (33, 120), (7, 9), (640, 480)]
    pictures = [Image.fromarray(random.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]
    side = clip_source.preprocessing.width
    resize = Resize(side, interpolation=InterpolationMode.BICUBIC)
    normalize = Normalize(clip_source.preprocessing.mean, clip_source.preprocessing.std)
    transform = Compose([resize, CenterCrop(side), ToTensor(), normalize])
    with torch.no_grad():
        expected = clip_source.model.encode_image(torch.stack([transform(each) for each in pictures]), normalize=True)
    found = load_embedder(f"file://{tmp_path}", "tiny").embed_images(pictures)
    assert (expected.numpy() * found).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize("count", [1, 2, 5])
def test_texts_embed_as_in_torch_in_any_number(
    clip_source: ClipSource, target: Path, tmp_path: Path, count: int
) -> None:
    export_clip(clip_source, target, {})
    texts = ["red heart", "", "CAT", "an unknown wörd", "hammer " * 99][:count]
    ids = torch.tensor([each.ids for each in clip_source.tokenizer.encode_batch(texts)])
    with torch.no_grad():
        expected = clip_source.model.encode_text(ids, normalize=True).numpy()
    embedder = load_embedder(f"file://{tmp_path}", "tiny")
    assert (expected * embedder.embed_texts(texts)).sum(axis=1).min() >= 0.9999
    assert embedder.dimensions == expected.shape[1]


def test_what_was_measured_is_in_the_bundle(clip_source: ClipSource, target: Path) -> None:
    export_clip(clip_source, target, {"recall": 0.5})
    manifest = (target / "bundle.json").read_text()
    assert '"recall": 0.5' in manifest
    assert '"image_cosine": 1.0' in manifest
    assert '"licence": "Apache-2.0"' in manifest


def test_a_graph_that_embeds_otherwise_is_not_written(
    clip_source: ClipSource, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_another(module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], output: str) -> bytes:
        another = copy.deepcopy(module)
        another.get_parameter("model.text_projection").data.neg_()
        return export_graph(another, inputs, output)

    monkeypatch.setattr(export, "export_graph", export_another)
    with pytest.raises(NotEqual, match=r"text_cosine': -1"):
        export_clip(clip_source, target, {})
    assert not target.exists()
