"""A model that names, or values, a record or an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import ImageInput
from pixlake.errors import BadBundle
from pixlake.images.decoders import Decoders
from pixlake.inference.encoders import Example, make_encoder
from pixlake.inference.graphs import load_graph
from pixlake.inference.limits import Limits

Pixels = NDArray[np.float32]
_KINDS = {"image": "image_classifier", "image+tabular": "record_classifier", "tabular": "record_classifier"}


@dataclass(frozen=True)
class Prediction:
    """A label with its probabilities, or the value of a regression."""

    label: str | None = None
    score: float | None = None
    probabilities: dict[str, float] | None = None
    value: float | None = None


def make_prediction(row: NDArray[np.float64], labels: Sequence[str]) -> Prediction | None:
    """From the probabilities of `labels`, or from a value where there are none; None where it is no number."""
    if not np.isfinite(row).all():
        return None
    if not labels:
        return Prediction(value=float(row[0]))
    best = int(row.argmax())
    return Prediction(labels[best], float(row[best]), dict(zip(labels, row.tolist(), strict=True)))


class Classifier:
    """A loaded `image_classifier` or `record_classifier` bundle."""

    at_once = False

    def __init__(self, folder: BundleFolder, threads: int = 0, limits: Limits | None = None) -> None:
        manifest = folder.manifest
        if manifest.kind == "embedder":
            raise BadBundle(f"{folder.uri}: the bundle is an embedder, not a classifier")
        self.model, self.kind = folder.model, manifest.kind
        self._folder, self._manifest, self._ids_by_label = folder, manifest, manifest.ids_by_label
        self._encoders = [make_encoder(declared, folder) for declared in manifest.inputs]
        tensors = {name: each for encoder in self._encoders for name, each in encoder.tensors().items()}
        self._graph = load_graph(folder, manifest.graph, tensors, manifest.output, threads, limits=limits)

    @property
    def size(self) -> int:
        """Bytes of the graph in memory."""
        return self._graph.size

    @property
    def ids_by_label(self) -> Mapping[str, str]:
        """Each label's id in the vocabulary that it is of; empty where none are known."""
        return self._ids_by_label

    @property
    def image_input(self) -> ImageInput | None:
        """How it takes images; None if it takes none."""
        return self._manifest.image_input

    @property
    def needs_image(self) -> bool:
        """Whether it cannot answer without an image."""
        declared = self._manifest.image_input
        return declared is not None and (self.kind == "image_classifier" or declared.missing == "refuse")

    @property
    def most_images(self) -> int:
        """How many images of a record it takes."""
        return self._manifest.image_input.max_images if self._manifest.image_input else 0

    @property
    def example_bytes(self) -> int:
        """Of its images' tensors."""
        declared = self._manifest.image_input
        return declared.max_images * declared.preprocessing.tensor_bytes if declared else 0

    def answers(self, modality: str) -> bool:
        """Whether it is of the kind for batches of `modality`."""
        return _KINDS.get(modality) == self.kind

    def prepare_image(self, data: bytes, decoders: Decoders) -> Pixels:
        """The image in `data` as it takes one; BadImage for what cannot be used."""
        declared = self._manifest.image_input
        assert declared, "asked only where most_images is not 0"
        return decoders.load(data, declared.preprocessing).tensor

    def make_example(self, attributes: Mapping[str, str | None], images: Sequence[Pixels]) -> Example:
        """What `predict` takes for one record."""
        return Example(attributes, images)

    def predict(self, examples: Sequence[Example]) -> list[Prediction | None]:
        """One prediction an example, in order; None where the model answered with no number."""
        if not examples:
            return []
        feeds = {name: each for encoder in self._encoders for name, each in encoder.feeds(examples).items()}
        values = self._graph.run(feeds).reshape(len(examples), -1)
        return [make_prediction(row, self._manifest.labels) for row in self._columns(values)]

    def _columns(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One column a label, or the value; a binary model's only column is the probability of its second label."""
        labels, scaling = self._manifest.labels, self._manifest.regression
        if self._manifest.problem == "binary" and values.shape[1] == 1:
            values = np.hstack([1 - values, values])
        if values.shape[1] != (len(labels) or 1):
            raise BadBundle(f"{self._folder.uri}: the graph answers {values.shape[1]} columns for {len(labels)} labels")
        return values * scaling.scale + scaling.mean if scaling else values
