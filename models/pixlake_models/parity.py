"""A model of images through its own library and through its bundle: from the same files, how near are the answers?"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pixlake.inference.embedder import Embedder
from pixlake.inference.manifest import Preprocessing
from pixlake.inference.preprocessing import decode_for, tensor
from pixlake_models.figures import Figure
from pixlake_models.pictures import Picture, as_shown, make_pictures

LEAST_COSINE = 0.9999
# levels of 255, on average over a picture: what docs/bundles.md says of JPEGs that are decoded smaller
MOST_LEVEL_DIFFERENCE = 0.5
_MAX_PIXELS = 100_000_000
_AT_ONCE = 8


@dataclass(frozen=True)
class Original:
    """The model as its library runs it. `preprocess`, from a Pillow image to a tensor, is the library's own transform
    for evaluation; `run` answers a batch of them with a row each."""

    preprocess: Callable[[Image.Image], torch.Tensor]
    run: Callable[[torch.Tensor], torch.Tensor]

    def answer(self, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """A row for each tensor, a few at a time."""
        rows = []
        with torch.no_grad():
            for start in range(0, len(tensors), _AT_ONCE):
                batch = torch.from_numpy(np.stack(tensors[start : start + _AT_ONCE]))
                rows.append(self.run(batch).float().numpy())
        return np.concatenate(rows)


def compare_embeddings(embedder: Embedder, original: Original) -> Iterator[Figure]:
    """`image_cosine`, the least of any picture, and what it means: by kind of picture, between different pictures, and
    of the tensors alone, which weights without training cannot flatter."""
    pictures, preprocessing = make_pictures(), embedder.preprocessing
    wanted = [read_as_trained(each, original, preprocessing) for each in pictures]
    given = [read_as_served(each, preprocessing) for each in pictures]
    expected, found = original.answer(wanted), _embed(embedder, given)
    near = cosines(expected, found)
    yield Figure("image_cosine", float(near.min()), least=LEAST_COSINE)
    differences = [level_difference(*pair, preprocessing) for pair in zip(wanted, given, strict=True)]
    yield Figure("image_level_difference", max(differences), most=MOST_LEVEL_DIFFERENCE)
    yield Figure("image_cosine_of_others", float(cosines(expected, np.roll(expected, 1, axis=0)).mean()))
    yield from least_by_kind("image_cosine_by_kind", pictures, near)
    strange = [each for each in pictures if not each.plain]
    untouched = [read_untouched(each, original) for each in strange]
    seen = found[[not each.plain for each in pictures]]
    yield from least_by_kind("image_cosine_to_untouched", strange, cosines(original.answer(untouched), seen))


def read_as_trained(picture: Picture, original: Original, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The library's tensor of what it opens; of an upright, opaque RGB picture where a bundle means to see that."""
    with Image.open(io.BytesIO(picture.data)) as image:
        seen = image if picture.plain else as_shown(image, preprocessing.background)
        return np.asarray(original.preprocess(seen), dtype=np.float32)


def read_untouched(picture: Picture, original: Original) -> NDArray[np.float32]:
    """The library's tensor of what Pillow opens, whatever that is."""
    with Image.open(io.BytesIO(picture.data)) as image:
        return np.asarray(original.preprocess(image), dtype=np.float32)


def read_as_served(picture: Picture, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The tensor that the containers make of the file."""
    return tensor(decode_for(picture.data, preprocessing, _MAX_PIXELS), preprocessing)


def level_difference(expected: NDArray[np.float32], found: NDArray[np.float32], preprocessing: Preprocessing) -> float:
    """Between two tensors of a picture, in levels of 255, on average."""
    return float((np.abs(expected - found) * np.array(preprocessing.std)[:, None, None]).mean() * 255)


def cosines(expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    """Of each row with its counterpart, of any length."""
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
