"""A CLIP of open_clip's as an embedder bundle: its image tower, its text tower and its tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.model import CLIP
from tokenizers import Tokenizer
from torch import Tensor

from pixlake.inference.embedder import Embedder
from pixlake.inference.manifest import ImageInput, Manifest, Output, Preprocessing, TextInput, TextTower
from pixlake_models.bundles import trial_bundle, write_bundle
from pixlake_models.errors import NotEqual
from pixlake_models.graphs import export_graph

IMAGE, TEXT, EMBEDDING = "image", "text", "embedding"
IMAGE_GRAPH, TEXT_GRAPH, TOKENIZER = "image.onnx", "text.onnx", "tokenizer.json"
LEAST_COSINE = 0.9999
_PROBES = 8


@dataclass(frozen=True)
class ClipSource:
    """What there is to export. `tokenizer` cuts to `length` and pads with `pad`; `source` names origin and licence;
    `texts` are such as the model knows, to prove the export by."""

    model: CLIP
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    pad: int
    length: int
    source: dict[str, str]
    texts: Sequence[str]


class _ImageTower(torch.nn.Module):
    def __init__(self, model: CLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        embedding: Tensor = self.model.encode_image(images)
        return embedding


class _TextTower(torch.nn.Module):
    def __init__(self, model: CLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        embedding: Tensor = self.model.encode_text(tokens)
        return embedding


def export_clip(clip: ClipSource, target: Path, metrics: dict[str, Any]) -> str:
    """Write the bundle named like `target`, and return its version.

    Raises NotEqual if the bundle, loaded as the containers load it, gives other embeddings than torch.
    """
    files = {
        IMAGE_GRAPH: export_graph(_ImageTower(clip.model), {IMAGE: _images(clip)[:2]}, EMBEDDING),
        TEXT_GRAPH: export_graph(_TextTower(clip.model), {TEXT: _tokens(clip)[:2]}, EMBEDDING),
        TOKENIZER: clip.tokenizer.to_str().encode(),
    }
    manifest = _describe(clip, target.name, metrics)
    with trial_bundle(manifest, files) as folder:
        measured = _compare(clip, Embedder(folder))
    return write_bundle(target, msgspec.structs.replace(manifest, metrics=metrics | measured), files)


def _describe(clip: ClipSource, name: str, metrics: dict[str, Any]) -> Manifest:
    output = Output(EMBEDDING, "normalize")
    return Manifest(
        format=1,
        name=name,
        kind="embedder",
        inputs=(ImageInput(IMAGE, clip.preprocessing),),
        graph=IMAGE_GRAPH,
        output=output,
        files={},
        source=clip.source,
        dimensions=int(clip.model.text_projection.shape[1]),
        text=TextTower(TEXT_GRAPH, TextInput(TEXT, TOKENIZER, clip.length, clip.pad), output),
        metrics=metrics,
    )


def _images(clip: ClipSource) -> Tensor:
    shape = (_PROBES, 3, clip.preprocessing.height, clip.preprocessing.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _tokens(clip: ClipSource) -> Tensor:
    return torch.tensor([encoding.ids for encoding in clip.tokenizer.encode_batch(list(clip.texts))])


def _compare(clip: ClipSource, embedder: Embedder) -> dict[str, float]:
    """The least cosine between torch's and the bundle's embeddings, for each tower."""
    images = _images(clip)
    clip.model.eval()
    with torch.no_grad():
        expected = {
            "image_cosine": clip.model.encode_image(images, normalize=True).numpy(),
            "text_cosine": clip.model.encode_text(_tokens(clip), normalize=True).numpy(),
        }
    found = {
        "image_cosine": embedder.embed_tensors(list(images.numpy())),
        "text_cosine": embedder.embed_texts(clip.texts),
    }
    cosines = {tower: _least_cosine(expected[tower], found[tower]) for tower in expected}
    if worst := {tower: cosine for tower, cosine in cosines.items() if not cosine >= LEAST_COSINE}:
        raise NotEqual(f"the exported graphs give other embeddings than torch: {worst}")
    return cosines


def _least_cosine(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Of vectors of unit length."""
    return round(float((expected * found).sum(axis=1).min()), 6)
