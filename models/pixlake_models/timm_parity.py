"""A network of timm's through timm, and through its bundle, from the same files.

A bundle sees timm's own pixels but for what docs/bundles.md says of JPEGs that are decoded smaller and of very narrow
pictures. Where both see the same, they must answer the same; where not, how far they are apart is measured beside, for
that depends on the network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.graphs import activate
from pixlake.inference.manifest import Preprocessing
from pixlake_models.figures import Figure
from pixlake_models.parity import (
    LEAST_COSINE,
    MOST_LEVEL_DIFFERENCE,
    Original,
    cosines,
    level_difference,
    read_as_served,
    read_as_trained,
)
from pixlake_models.pictures import Picture, make_pictures
from pixlake_models.probabilities import predict_tensors

GREATEST_DIFFERENCE = 1e-4
LEAST_SHARE = 0.5
_SAME_LEVEL = 0.5
_AT_ONCE = 8

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class _Seen:
    """The tensors that timm makes of the files, those that the containers make, and which of them are of the same
    pixels: each within half a level of 255."""

    pictures: Sequence[Picture]
    wanted: Sequence[NDArray[np.float32]]
    given: Sequence[NDArray[np.float32]]
    preprocessing: Preprocessing

    @property
    def alike(self) -> NDArray[np.bool_]:
        deviation = np.array(self.preprocessing.std)[:, None, None] * 255
        pairs = zip(self.wanted, self.given, strict=True)
        return np.array([(np.abs(wanted - given) * deviation).max() < _SAME_LEVEL for wanted, given in pairs])


def compare_features(embedder: Embedder, original: Original) -> Iterator[Figure]:
    """`image_cosine`, the least of any picture that both see alike, and what it means: of how many, of all by kind, and
    between different pictures."""
    seen = _see(original, embedder.preprocessing)
    expected = original.answer(seen.wanted)
    groups = (seen.given[start : start + _AT_ONCE] for start in range(0, len(seen.given), _AT_ONCE))
    near = cosines(expected, np.concatenate([embedder.embed_tensors(group) for group in groups]))
    yield Figure("image_cosine", _worst(np.min, near[seen.alike]), least=LEAST_COSINE)
    yield from _describe_pixels(seen)
    yield Figure("image_cosine_of_all", float(near.min()))
    yield Figure("image_cosine_of_others", float(cosines(expected, np.roll(expected, 1, axis=0)).mean()))
    yield from _by_kind("image_cosine_by_kind", seen, near, min)


def compare_classes(classifier: Classifier, original: Original, preprocessing: Preprocessing) -> Iterator[Figure]:
    """`probability_difference`, the greatest of any class of any picture that both see alike, `top1_agreement` on them,
    and what that means: of how many, of all by kind, and between different pictures."""
    seen = _see(original, preprocessing)
    expected = activate(original.answer(seen.wanted).astype(np.float64), "softmax")
    found = predict_tensors(classifier, seen.given, expected.shape[1])
    far, agreed = np.abs(expected - found).max(axis=1), expected.argmax(axis=1) == found.argmax(axis=1)
    yield Figure("probability_difference", _worst(np.max, far[seen.alike]), most=GREATEST_DIFFERENCE)
    yield Figure("top1_agreement", _worst(np.mean, agreed[seen.alike]), least=1)
    yield from _describe_pixels(seen)
    yield Figure("top1_agreement_of_all", float(agreed.mean()))
    yield Figure("probability_difference_of_others", float(np.abs(expected - np.roll(expected, 1, axis=0)).max()))
    yield from _by_kind("probability_difference_by_kind", seen, far, max)


def _see(original: Original, preprocessing: Preprocessing) -> _Seen:
    pictures = make_pictures()
    wanted = [read_as_trained(each, original, preprocessing) for each in pictures]
    return _Seen(pictures, wanted, [read_as_served(each, preprocessing) for each in pictures], preprocessing)


def _describe_pixels(seen: _Seen) -> Iterator[Figure]:
    yield Figure("same_pixels", float(seen.alike.mean()), least=LEAST_SHARE)
    pairs = zip(seen.wanted, seen.given, strict=True)
    levels = [level_difference(*pair, seen.preprocessing) for pair in pairs]
    yield Figure("image_level_difference", max(levels), most=MOST_LEVEL_DIFFERENCE)


def _worst(choose: Callable[[NDArray[np.float64]], np.float64], values: NDArray[np.float64]) -> float:
    """No number where there are none to choose from, which holds no bound."""
    return float(choose(values)) if len(values) else float("nan")


def _by_kind(group: str, seen: _Seen, values: Matrix, worst: Callable[[float, float], float]) -> Iterator[Figure]:
    found: dict[str, float] = {}
    for picture, value in zip(seen.pictures, values.tolist(), strict=True):
        found[picture.kind] = worst(value, found.get(picture.kind, value))
    yield from (Figure(kind, value, group=group) for kind, value in found.items())
