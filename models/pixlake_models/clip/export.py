"""A CLIP of open_clip's as an embedder bundle: its image tower, its text tower and its tokenizer."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import ImageInput, Manifest, Output, Preprocessing, TextInput, TextTower
from pixlake.inference.cleaning import clean_text
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import TextEncoder
from pixlake_models.clip.loading import Clip, load_clip
from pixlake_models.clip.preprocessing import write_preprocessing
from pixlake_models.clip.tokenizer import ClipTokenizer
from pixlake_models.exporting.export import Candidate, Request, prove_and_write
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.parity import LEAST_COSINE, Original, compare_embeddings, cosines
from pixlake_models.exporting.texts import make_texts
from pixlake_models.exporting.trying import try_out

IMAGE, TEXT, MASK, EMBEDDING = "image", "text", "mask", "embedding"
IMAGE_GRAPH, TEXT_GRAPH, TOKENIZER = "image.onnx", "text.onnx", "tokenizer.json"
_AT_ONCE = 16
_EMBEDDED = 4

CompareImages = Callable[[Embedder, Original], Iterator[Figure]]


@dataclass(frozen=True)
class ClipSource:
    """A model without a name in open_clip. `tokenizer` cuts to `length` and pads with `pad`; `source` names origin
    and licence; `texts` are familiar to the model, to prove the export by."""

    model: torch.nn.Module
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    pad: int
    length: int
    source: dict[str, str]
    texts: Sequence[str]


class _Tower(torch.nn.Module):
    """One of a model's two encoders, as a module of its own."""

    def __init__(self, model: torch.nn.Module, encode: str) -> None:
        super().__init__()
        self.model, self.encode = model, encode

    def forward(self, *batch: Tensor) -> Tensor:
        vectors: Tensor = getattr(self.model, self.encode)(*batch, normalize=False)
        return vectors


@dataclass(frozen=True)
class _Words:
    """The texts to prove by, with open_clip's answers, computed once: tokens of all, vectors of one in four."""

    clip: Clip
    tower: _Tower

    @property
    def embedded(self) -> Sequence[str]:
        return self.clip.texts[::_EMBEDDED]

    @functools.cached_property
    def tokens(self) -> tuple[Tensor, ...]:
        return self.clip.tokenize(list(self.clip.texts))

    @functools.cached_property
    def vectors(self) -> NDArray[np.float32]:
        tokens = [each[::_EMBEDDED] for each in self.tokens]

        def answer(first: int) -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = self.tower(*(each[first : first + _AT_ONCE] for each in tokens)).numpy()
            return vectors

        with torch.no_grad():
            return _batched(answer, len(tokens[0]))


def export_open_clip(request: Request) -> Candidate:
    """A model by its name in open_clip and its weights; BadRequest and NotServable as `load_clip` raises them."""
    return make_candidate(load_clip(request))


def export_clip(source: ClipSource, target: Path, metrics: dict[str, Any]) -> str:
    """Write the bundle named like `target`, and return its version; NotEqual as `prove_and_write` raises it."""
    return prove_and_write(make_candidate(_gather(source), metrics), target).version


def make_candidate(
    clip: Clip, metrics: dict[str, Any] | None = None, compare_images: CompareImages = compare_embeddings
) -> Candidate:
    """The bundle, to be proved. `metrics` are other measurements of the model."""
    clip.model.eval().requires_grad_(False)
    images, texts = _Tower(clip.model, "encode_image"), _Tower(clip.model, "encode_text")
    original, words = Original(clip.preprocess, images, clip.preprocessing.background), _Words(clip, texts)
    manifest = _describe(clip, images, metrics or {})
    files = {
        IMAGE_GRAPH: export_graph(images, {IMAGE: _examples(clip)}, EMBEDDING),
        TEXT_GRAPH: _export_texts(clip, texts),
        TOKENIZER: clip.tokenizer.tokenizer.to_str().encode(),
    }

    def measure(folder: BundleFolder) -> Sequence[Figure]:
        embedder = Embedder(folder)
        return [*compare_images(embedder, original), *_compare_texts(folder, embedder, words)]

    return Candidate(manifest, files, measure)


def _export_texts(clip: Clip, tower: _Tower) -> bytes:
    masked = clip.tokenizer.masked
    inputs = dict(zip((TEXT, MASK) if masked else (TEXT,), clip.tokenize(["a photo", "another"]), strict=True))
    return export_graph(tower, inputs, EMBEDDING, texts=inputs if masked else ())


def _gather(source: ClipSource) -> Clip:
    def tokenize(texts: list[str]) -> tuple[Tensor]:
        valid = [clean_text(text, "none") for text in texts]
        return (torch.tensor([encoding.ids for encoding in source.tokenizer.encode_batch(valid)]),)

    return Clip(
        model=source.model,
        preprocess=write_preprocessing(source.preprocessing),
        preprocessing=source.preprocessing,
        tokenize=tokenize,
        tokenizer=ClipTokenizer(source.tokenizer, "none", source.length, source.pad),
        source=source.source,
        texts=(*source.texts, *make_texts()),
    )


def _describe(clip: Clip, images: _Tower, metrics: dict[str, Any]) -> Manifest:
    output, words = Output(EMBEDDING, "normalize"), clip.tokenizer
    declared = TextInput(
        TEXT,
        TOKENIZER,
        words.length,
        words.pad,
        mask_tensor=MASK if words.masked else None,
        cleaning=words.cleaning,
        padding="longest" if words.masked else "length",
    )
    scale, bias = (getattr(clip.model, name, None) for name in ("logit_scale", "logit_bias"))
    return Manifest(
        format=1,
        name="",
        kind="embedder",
        inputs=(ImageInput(IMAGE, clip.preprocessing),),
        graph=IMAGE_GRAPH,
        output=output,
        files={},
        source=clip.source,
        dimensions=try_out(images, clip.preprocessing).shape[1],
        text=TextTower(
            TEXT_GRAPH,
            declared,
            output,
            scale=None if scale is None else float(scale.exp()),
            bias=None if bias is None else float(bias),
        ),
        metrics=metrics,
    )


def _examples(clip: Clip) -> Tensor:
    shape = (2, 3, clip.preprocessing.height, clip.preprocessing.width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _compare_texts(folder: BundleFolder, embedder: Embedder, words: _Words) -> Iterator[Figure]:
    """The number of texts with other tokens, and the least cosine of one in four: equal tokens take every text to show,
    equal towers any."""
    assert folder.manifest.text
    declared = folder.manifest.text.input
    encoder = TextEncoder(declared, folder.read(declared.tokenizer))
    found = encoder.encode(list(words.clip.texts))
    pairs = zip(words.tokens, found.values(), strict=True)
    differ = np.any([(wanted.numpy() != tokens).any(axis=1) for wanted, tokens in pairs], axis=0)
    yield Figure("text_tokens_differ", int(differ.sum()), most=0)
    texts, vectors = words.embedded, words.vectors
    near = cosines(vectors, _batched(lambda first: embedder.embed_texts(texts[first : first + _AT_ONCE]), len(texts)))
    yield Figure("text_cosine", float(near.min()), least=LEAST_COSINE)
    yield Figure("text_cosine_of_others", float(cosines(vectors, np.roll(vectors, 1, axis=0)).mean()))


def _batched(answer: Callable[[int], NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """The rows of `answer(first)` for each batch's first index."""
    return np.concatenate([answer(first) for first in range(0, count, _AT_ONCE)])
