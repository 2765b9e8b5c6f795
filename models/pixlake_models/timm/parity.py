"""Compares a network of timm's in timm with its bundle, on the same files.

A bundle gets timm's own pixels, except for JPEGs that are decoded smaller and very narrow pictures (docs/bundles.md).
For equal pixels the answers must be equal, for those JPEGs so near that a user would not notice; for narrow pictures
the difference is only measured, for it depends on the network.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.manifest import Preprocessing
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.graphs import activate
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.parity import (
    LEAST_COSINE,
    Original,
    Served,
    compare_levels,
    compare_smaller,
    cosines,
    serve,
)
from pixlake_models.exporting.pictures import make_pictures
from pixlake_models.exporting.probabilities import predict_tensors

GREATEST_DIFFERENCE = 1e-4
# of JPEGs decoded smaller, whose pixels differ: a score of two digits changes by two in the last, the label not at all
GREATEST_DIFFERENCE_OF_SMALLER = 0.02
LEAST_SHARE = 0.5
_SAME_LEVEL = 0.5
_AT_ONCE = 8

Matrix = NDArray[np.float64]
Worst = Callable[[Matrix], np.float64]


@dataclass(frozen=True)
class _Seen:
    """The files as timm and as the containers read them, and the ones with equal pixels: each within half a level of
    255."""

    original: Original
    given: Sequence[Served]
    preprocessing: Preprocessing

    @property
    def tensors(self) -> Sequence[NDArray[np.float32]]:
        """The containers' tensors."""
        return [each.tensor for each in self.given]

    @functools.cached_property
    def alike(self) -> NDArray[np.bool_]:
        deviation = np.array(self.preprocessing.std)[:, None, None] * 255
        pairs = zip(self.original.tensors, self.tensors, strict=True)
        return np.array([(np.abs(wanted - given) * deviation).max() < _SAME_LEVEL for wanted, given in pairs])

    @property
    def smaller(self) -> NDArray[np.bool_]:
        return np.array([each.smaller for each in self.given])

    def measure(self, choose: Worst, values: Matrix) -> float:
        """A figure's value over the pictures with equal pixels; NaN where there are none, which holds no bound."""
        alike = values[self.alike & ~self.smaller]
        return float(choose(alike)) if len(alike) else float("nan")


def compare_features(embedder: Embedder, original: Original) -> Iterator[Figure]:
    """`image_cosine`, the least of any picture of equal pixels, the least of JPEGs decoded smaller, and figures to
    compare them with: the share of equal pixels, of all by kind, and between different pictures."""
    seen, expected = _see(original, embedder.preprocessing), original.answers
    tensors = seen.tensors
    groups = (tensors[start : start + _AT_ONCE] for start in range(0, len(tensors), _AT_ONCE))
    near = cosines(expected, np.concatenate([embedder.embed_tensors(group) for group in groups]))
    yield Figure("image_cosine", seen.measure(np.min, near), least=LEAST_COSINE)
    yield from compare_smaller(near[seen.smaller])
    yield from _describe_pixels(seen)
    yield Figure("image_cosine_of_all", float(near.min()))
    yield Figure("image_cosine_of_others", float(cosines(expected, np.roll(expected, 1, axis=0)).mean()))
    yield from _by_kind("image_cosine_by_kind", near, min)


def compare_classes(classifier: Classifier, original: Original) -> Iterator[Figure]:
    """`probability_difference`, the greatest of any class of any such picture, `top1_agreement` on them, both of JPEGs
    decoded smaller, and the same figures to compare them with."""
    assert classifier.image_input
    seen = _see(original, classifier.image_input.preprocessing)
    expected = activate(original.answers.astype(np.float64), "softmax")
    found = predict_tensors(classifier, seen.tensors, expected.shape[1])
    far, agreed = np.abs(expected - found).max(axis=1), expected.argmax(axis=1) == found.argmax(axis=1)
    yield Figure("probability_difference", seen.measure(np.max, far), most=GREATEST_DIFFERENCE)
    yield Figure("top1_agreement", seen.measure(np.mean, agreed), least=1)
    yield from _compare_smaller_classes(far[seen.smaller], agreed[seen.smaller])
    yield from _describe_pixels(seen)
    yield Figure("top1_agreement_of_all", float(agreed.mean()))
    yield Figure("probability_difference_of_others", float(np.abs(expected - np.roll(expected, 1, axis=0)).max()))
    yield from _by_kind("probability_difference_by_kind", far, max)


def _compare_smaller_classes(far: Matrix, agreed: NDArray[np.bool_]) -> Iterator[Figure]:
    if len(far):
        most, of_smaller = GREATEST_DIFFERENCE_OF_SMALLER, "of_jpegs_decoded_smaller"
        yield Figure(f"probability_difference_{of_smaller}", float(far.max()), most=most, spared=most)
        yield Figure(f"top1_agreement_{of_smaller}", float(agreed.mean()), least=1, spared=1)


def _see(original: Original, preprocessing: Preprocessing) -> _Seen:
    return _Seen(original, list(serve(make_pictures(), preprocessing)), preprocessing)


def _describe_pixels(seen: _Seen) -> Iterator[Figure]:
    yield Figure("same_pixels", float(seen.alike.mean()), least=LEAST_SHARE)
    yield compare_levels(seen.original, seen.given, seen.preprocessing)


def _by_kind(group: str, values: Matrix, worst: Callable[[float, float], float]) -> Iterator[Figure]:
    found: dict[str, float] = {}
    for picture, value in zip(make_pictures(), values.tolist(), strict=True):
        found[picture.kind] = worst(value, found.get(picture.kind, value))
    yield from (Figure(kind, value, group=group) for kind, value in found.items())
