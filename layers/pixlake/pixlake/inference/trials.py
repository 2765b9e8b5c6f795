"""A bundle tried as the containers use it: loaded, its graphs held against `bundle.json`, and asked for answers.

It shows that a bundle works, not that it is right: how far its answers are from the model's that it was made of was
measured when it was made, and stands in its metrics. A trial runs in a process of its own, which `verifying` starts.
"""

import sys

import msgspec
import numpy as np
from PIL import Image

from pixlake.bundles.archives import inspect
from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.bundles.manifest import CategoricalInput, NumericalInput, TextInput
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import BadBundle
from pixlake.images.preprocessing import tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from pixlake.inference.limits import Limits
from pixlake.inference.verifying import Trial
from pixlake.limited import answer_limited

_TEXTS = ("a photo", "")
_SEED = 0


def try_bundle(folder: BundleFolder, limits: Limits | None = None) -> str:
    """What it answered, in a few words; BadBundle if it does not load, answers with no numbers or exceeds the limits.

    What holds pickles is checked, but never opened here.
    """
    if isinstance(folder.description, PredictorManifest):
        archive = folder.description.archive
        count = inspect(folder.stream(archive), folder.sizes[archive])
        return f"its tar is of plain files, {count} in all; a trial needs the AutoGluon container, for it holds pickles"
    folder.verify(folder.manifest.files)
    return try_model(folder, load_model(folder, limits))


def load_model(folder: BundleFolder, limits: Limits | None = None) -> Embedder | Classifier:
    if folder.manifest.kind == "embedder":
        return Embedder(folder, limits=limits)
    return Classifier(folder, limits=limits)


def try_model(folder: BundleFolder, model: Embedder | Classifier) -> str:
    """What it answered, as `try_bundle`; the files that it loads are verified as it does."""
    return _try_embedder(folder, model) if isinstance(model, Embedder) else _try_classifier(folder, model)


def _try_embedder(folder: BundleFolder, embedder: Embedder) -> str:
    answers = {"images": embedder.embed_images(_pictures())}
    if folder.manifest.text:
        answers["texts"] = embedder.embed_texts(_TEXTS)
    for kind, vectors in answers.items():
        if not np.isfinite(vectors).all():
            raise BadBundle(f"{folder.uri}: the model gives no vector for {kind} that any should have one for")
    return f"{' and '.join(answers)} became unit vectors of {embedder.dimensions}"


def _try_classifier(folder: BundleFolder, classifier: Classifier) -> str:
    images = []
    if classifier.image_input:
        images = [tensor(picture, classifier.image_input.preprocessing) for picture in _pictures()]
    values = _usual_values(folder)
    usual = Example(values, images)
    strange = Example(dict.fromkeys(values, "\N{REPLACEMENT CHARACTER}"), images[:1])
    bare = Example(images=images[:1] if classifier.needs_image else [])
    if None in classifier.predict([usual, strange, bare]):
        raise BadBundle(f"{folder.uri}: the model answers a record with usual, strange or no values with no number")
    problem = folder.manifest.problem
    return f"records with usual, strange and no values got a {'value' if problem == 'regression' else 'label'}"


def _usual_values(folder: BundleFolder) -> dict[str, str]:
    """A value for each column: the mean, the first category, a word."""
    values: dict[str, str] = {}
    for declared in folder.manifest.inputs:
        match declared:
            case NumericalInput():
                values |= {column.name: str(column.mean) for column in declared.columns}
            case CategoricalInput():
                values[declared.column] = next(iter(declared.categories), "")
            case TextInput():
                values |= dict.fromkeys(declared.columns, _TEXTS[0])
    return values


def _pictures() -> list[Image.Image]:
    """Two of noise, of odd sizes."""
    noise = np.random.default_rng(_SEED)
    return [Image.fromarray(noise.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in ((97, 61), (33, 128))]


def _answer(request: str) -> None:
    trial = msgspec.json.decode(request, type=Trial)
    folder = read_folder(trial.uri)
    if folder.model != trial.model:
        raise BadBundle(f"{folder.uri}: it changed while it was verified; verify it again")
    sys.stdout.write(try_bundle(folder, Limits(trial.seconds_an_example, trial.memory)))


if __name__ == "__main__":
    sys.exit(answer_limited(_answer))
