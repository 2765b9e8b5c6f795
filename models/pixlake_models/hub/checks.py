"""What holds of any sound model of images, held against a bundle whose source cannot be asked: pictures are near their
mirror images, and an answer does not depend on what is asked beside it.

The graphs are strangers', so this runs in a process with limits, after all that `models verify` does.
"""

import sys
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.images.preprocessing import tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.limits import Limits
from pixlake.inference.trials import load_model, try_model
from pixlake.inference.verifying import Trial, verify_bundle
from pixlake.limited import answer_limited
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.pictures import draw_scene
from pixlake_models.exporting.probabilities import predict_tensors

_SIDE, _PICTURES = 320, 4
_TEXT, _LONGER = "a photo of a cup of coffee", "a very long text about a dog and a cat in a garden with flowers " * 2
# 8-bit activations have the range of all that is asked at once
_NEAR = {"quantized": 0.9}
_EXACT, _EQUAL = 0.999, 0.9999
Rows = NDArray[np.float64]


class Checked(msgspec.Struct, frozen=True):
    """What the trial answered, and the figures."""

    trial: str
    figures: list[Figure]


def check_bundle(folder: BundleFolder) -> Checked:
    """BadBundle and ModelTimeout as `verify_bundle` raises them."""
    return msgspec.json.decode(verify_bundle(folder, module=__name__), type=Checked)


def measure(folder: BundleFolder, model: Embedder | Classifier) -> Iterator[Figure]:
    """The figures of the loaded model, with their bounds."""
    near = _NEAR.get(folder.manifest.source.get("variant", ""), _EXACT)
    answer = model.embed_tensors if isinstance(model, Embedder) else model
    yield from _measure_images(folder, answer, near)
    if isinstance(model, Embedder) and folder.manifest.text:
        yield from _measure_texts(model, near)


def _measure_images(folder: BundleFolder, model: object, near: float) -> Iterator[Figure]:
    declared = folder.manifest.image_input
    assert declared
    scenes = [draw_scene(_SIDE, _SIDE, seed) for seed in range(_PICTURES)]

    def embed(pictures: Sequence[Image.Image]) -> Rows:
        tensors = [tensor(each, declared.preprocessing) for each in pictures]
        if isinstance(model, Classifier):
            return predict_tensors(model, tensors, len(folder.manifest.labels))
        return np.asarray(model(tensors), dtype=np.float64)  # type: ignore[operator]

    rows, mirrored = embed(scenes), embed([ImageOps.mirror(each) for each in scenes])
    others = _cosines(rows, np.roll(rows, 1, axis=0)).mean()
    yield Figure("cosine_of_other_images", float(others))
    yield Figure("cosine_of_mirror_images", float(_cosines(rows, mirrored).mean()), least=float(others))
    alone = np.concatenate([embed([each]) for each in scenes])
    yield Figure("cosine_of_images_asked_alone", float(_cosines(rows, alone).min()), least=near)


def _measure_texts(embedder: Embedder, near: float) -> Iterator[Figure]:
    twice, beside = embedder.embed_texts([_TEXT, _TEXT]), embedder.embed_texts([_TEXT, _LONGER])
    yield Figure("cosine_of_a_text_repeated", float(_cosines(twice[:1], twice[1:])[0]), least=_EQUAL)
    yield Figure("cosine_of_a_text_beside_a_longer", float(_cosines(twice[:1], beside[:1])[0]), least=near)


def _cosines(left: NDArray[np.floating], right: NDArray[np.floating]) -> Rows:
    """Row by row."""
    one, two = left.astype(np.float64), right.astype(np.float64)
    cosines: Rows = (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    return cosines


def _answer(request: str) -> None:
    trial = msgspec.json.decode(request, type=Trial)
    folder, limits = read_folder(trial.uri), Limits(trial.seconds_an_example, trial.memory)
    model = load_model(folder, limits)
    checked = Checked(try_model(folder, model), list(measure(folder, model)))
    sys.stdout.write(msgspec.json.encode(checked).decode())


if __name__ == "__main__":
    sys.exit(answer_limited(_answer))
