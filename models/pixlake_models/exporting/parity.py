"""Compares a model of images in its own library with its bundle, on the same files."""

import functools
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pixlake.bundles.manifest import Preprocessing
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.embedder import Embedder
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.pictures import Color, Picture, as_shown, make_pictures

LEAST_COSINE = 0.9999
# of JPEGs decoded smaller: the pixels differ, and with them the answers of any network with detail to see. What a user
# would notice is another order of neighbours, and those are hundredths apart
LEAST_COSINE_OF_SMALLER = 0.999
# levels of 255, on average over a picture: the bound in docs/bundles.md for JPEGs decoded smaller
MOST_LEVEL_DIFFERENCE = 0.5
_MAX_PIXELS = 100_000_000
_AT_ONCE = 8


@dataclass(frozen=True)
class Original:
    """The model as its library runs it, run once for all comparisons. `preprocess`, from a Pillow
    image to a tensor, is the library's own transform for evaluation; `run` returns a row for each of a batch.
    `background` is the colour below transparent pixels in its bundle."""

    preprocess: Callable[[Image.Image], torch.Tensor]
    run: Callable[[torch.Tensor], torch.Tensor]
    background: Color

    @functools.cached_property
    def tensors(self) -> Sequence[NDArray[np.float32]]:
        """The pictures to prove by: upright, opaque and RGB where a bundle reads them so."""
        return [self.read(each, as_seen=not each.plain) for each in make_pictures()]

    @functools.cached_property
    def answers(self) -> NDArray[np.float32]:
        """The answers to `tensors`."""
        return self.answer(self.tensors)

    @functools.cached_property
    def untouched_answers(self) -> NDArray[np.float32]:
        """The answers to the pictures that a bundle reads otherwise, as Pillow opens them."""
        return self.answer([self.read(each) for each in make_pictures() if not each.plain])

    def read(self, picture: Picture, *, as_seen: bool = False) -> NDArray[np.float32]:
        """The library's tensor of the picture as Pillow opens it, or as a viewer shows it."""
        with Image.open(io.BytesIO(picture.data)) as image:
            seen = as_shown(image, self.background) if as_seen else image
            return np.asarray(self.preprocess(seen), dtype=np.float32)

    def answer(self, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """A row for each tensor, a few at a time."""
        rows = []
        with torch.no_grad():
            for start in range(0, len(tensors), _AT_ONCE):
                batch = torch.from_numpy(np.stack(tensors[start : start + _AT_ONCE]))
                rows.append(self.run(batch).float().numpy())
        return np.concatenate(rows)


@dataclass(frozen=True)
class Served:
    """A tensor as the containers make it of a file, and whether the file is a JPEG decoded smaller."""

    tensor: NDArray[np.float32]
    smaller: bool


def serve(pictures: Iterable[Picture], preprocessing: Preprocessing) -> Iterator[Served]:
    """A picture at a time."""
    for each in pictures:
        decoded = decode_for(each.data, preprocessing, _MAX_PIXELS)
        yield Served(tensor(decoded, preprocessing), decoded.box is not None)


def compare_embeddings(embedder: Embedder, original: Original) -> Iterator[Figure]:
    """`image_cosine`, the least of any picture, the same of JPEGs decoded smaller, and figures to compare them with: by
    kind of picture, between different pictures, and of the tensors alone, which do not depend on the weights."""
    pictures = make_pictures()
    given = list(serve(pictures, embedder.preprocessing))
    smaller = np.array([each.smaller for each in given])
    expected, found = original.answers, _embed(embedder, [each.tensor for each in given])
    near = cosines(expected, found)
    yield Figure("image_cosine", float(near[~smaller].min()), least=LEAST_COSINE)
    yield from compare_smaller(near[smaller])
    yield compare_levels(original, given, embedder.preprocessing)
    yield Figure("image_cosine_of_others", float(cosines(expected, np.roll(expected, 1, axis=0)).mean()))
    yield from least_by_kind("image_cosine_by_kind", pictures, near)
    strange = [each for each in pictures if not each.plain]
    seen = found[[not each.plain for each in pictures]]
    yield from least_by_kind("image_cosine_to_untouched", strange, cosines(original.untouched_answers, seen))


def compare_smaller(near: NDArray[np.float64]) -> Iterator[Figure]:
    """The least cosine of the JPEGs that were decoded smaller, where there are any."""
    if len(near):
        least = LEAST_COSINE_OF_SMALLER
        yield Figure("image_cosine_of_jpegs_decoded_smaller", float(near.min()), least=least, spared=least)


def compare_levels(original: Original, given: Sequence[Served], preprocessing: Preprocessing) -> Figure:
    """The greatest difference of a picture's tensor from the library's, in levels of 255, on average over the
    picture."""
    deviations = np.array(preprocessing.std)[:, None, None] * 255
    pairs = zip(original.tensors, given, strict=True)
    levels = np.array([(np.abs(wanted - each.tensor) * deviations).mean() for wanted, each in pairs])
    whole = levels[[not each.smaller for each in given]]
    most = MOST_LEVEL_DIFFERENCE
    return Figure("image_level_difference", float(levels.max()), most=most, spared=float(whole.max()))


def cosines(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    """The cosine of each row with its counterpart; rows of any length."""
    left, right = (each.astype(np.float64) for each in (expected, found))
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / lengths)


def least_by_kind(group: str, pictures: Sequence[Picture], values: NDArray[np.float64]) -> Iterator[Figure]:
    """The least of each kind of picture."""
    found: dict[str, float] = {}
    for picture, value in zip(pictures, values.tolist(), strict=True):
        found[picture.kind] = min(value, found.get(picture.kind, value))
    yield from (Figure(kind, value, group=group) for kind, value in found.items())


def _embed(embedder: Embedder, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    starts = range(0, len(tensors), _AT_ONCE)
    return np.concatenate([embedder.embed_tensors(tensors[start : start + _AT_ONCE]) for start in starts])
