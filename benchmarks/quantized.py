"""A quantized classifier of images beside the one in float32: images a second of a core, and same answers.

`python -m benchmarks.quantized FLOAT32 INT8 [FOLDER]`: two bundles' folders, and photographs; without FOLDER those that
come with `pixlake models export --int8`. Both take turns in one process, by a core's own time.
"""

import sys
import time
from pathlib import Path

import numpy as np

from pixlake.bundles.folders import read_folder
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.encoders import Example
from pixlake_models.photographs import list_photographs

TURNS, IMAGES = 12, 8


def load(folder: Path) -> Classifier:
    return Classifier(read_folder(folder.resolve().as_uri()), threads=1)


def read(classifier: Classifier, paths: list[Path]) -> list[Example]:
    assert classifier.image_input
    spec = classifier.image_input.preprocessing
    return [Example(images=[tensor(decode_for(path.read_bytes(), spec, 10**8), spec)]) for path in paths]


def measure(models: list[Classifier], examples: list[Example]) -> list[float]:
    """The least seconds that each takes for `IMAGES`, of many turns."""
    seconds = np.full((TURNS, len(models)), np.inf)
    batch = (examples * IMAGES)[:IMAGES]
    for turn in range(TURNS):
        for place, model in enumerate(models):
            begun = time.process_time()
            model.predict(batch)
            seconds[turn, place] = time.process_time() - begun
    return [float(each) for each in seconds.min(axis=0)]


def main(whole: Path, quantized: Path, folder: Path | None = None) -> None:
    models = [load(whole), load(quantized)]
    paths = sorted(folder.rglob("*.jp*g")) if folder else list_photographs()
    examples = read(models[0], paths)
    seconds = measure(models, examples)
    for name, took in zip(("float32", "quantized"), seconds, strict=True):
        print(f"{name:10} {IMAGES / took:6.1f} images/s of a core")
    print(f"{'ratio':10} {seconds[0] / seconds[1]:6.2f}")
    labels = [[each.label if each else None for each in model.predict(examples)] for model in models]
    same = [left == right for left, right in zip(*labels, strict=True)]
    print(f"{'same label':10} {sum(same)} of {len(same)} photographs")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
