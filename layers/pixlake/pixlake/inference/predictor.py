"""A bundle of the kind `autogluon` as the step Classify uses it; AutoGluon itself is behind `Fitted`.

AutoGluon reads a table as pandas does: a number is a float, a category what it was in training, an image a file. Here a
record's cells are text or null, and its images bytes that anybody uploaded, so both are made into what it expects.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.archives import unpack
from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.predictors import PredictorColumn, PredictorImages, PredictorManifest
from pixlake.bundles.values import read_value
from pixlake.errors import BadBundle
from pixlake.images.decoders import Decoders
from pixlake.inference.classifier import Prediction, make_prediction

Cell = str | float | bool | list[bytes] | None
# between two paths in a cell; no name that is made here holds it
_SEPARATOR = ";"


class Fitted(Protocol):
    """A predictor that AutoGluon has loaded."""

    def answer(self, table: Mapping[str, Sequence[Cell]]) -> NDArray[np.float64]:
        """Float64 `[n, labels]`, the probabilities of each row, or `[n, 1]`, its value."""


@dataclass(frozen=True)
class Row:
    """One record as text, and its images as files."""

    attributes: Mapping[str, str | None]
    images: Sequence[Path]


class Predictor:
    """Answers as `classifier.Classifier` does. `scratch` is a folder for images that its caller deletes."""

    at_once = True

    def __init__(self, model: str, manifest: PredictorManifest, fitted: Fitted, scratch: Path) -> None:
        self.model, self._manifest = model, manifest
        self._fitted, self._scratch = fitted, scratch

    @property
    def most_images(self) -> int:
        """How many images of a record it takes."""
        return self._manifest.images.max_images if self._manifest.images else 0

    @property
    def needs_image(self) -> bool:
        """Whether it cannot answer without an image."""
        return self._manifest.needs_image

    def answers(self, modality: str) -> bool:
        """Records if it reads columns, else images alone."""
        return modality in (("image+tabular", "tabular") if self._manifest.columns else ("image",))

    def prepare_image(self, data: bytes, decoders: Decoders) -> Path:
        """The bytes as a file, once they proved to be an image: AutoGluon would take a broken one for a black one."""
        decoders.check(data)
        with tempfile.NamedTemporaryFile(dir=self._scratch, delete=False) as file:
            file.write(data)
        return Path(file.name)

    def make_example(self, attributes: Mapping[str, str | None], images: Sequence[Path]) -> Row:
        """What `predict` takes for one record."""
        return Row(attributes, images)

    def predict(self, rows: Sequence[Row]) -> list[Prediction | None]:
        """One prediction a row, in order; None where the model answered with no number."""
        if not rows:
            return []
        values = self._fitted.answer(make_table(rows, self._manifest))
        labels = self._manifest.labels
        if values.shape != (len(rows), len(labels) or 1):
            raise BadBundle(
                f"{self.model}: AutoGluon answers {values.shape} for {len(rows)} rows, {len(labels)} labels"
            )
        return [make_prediction(row, labels) for row in values]


def make_table(rows: Sequence[Row], manifest: PredictorManifest) -> dict[str, list[Cell]]:
    """The columns that the predictor was trained on, a cell for each row."""
    table = {column.name: [_read_cell(row, column) for row in rows] for column in manifest.columns}
    if manifest.images:
        table[manifest.images.column] = [_image_cell(row, manifest.images) for row in rows]
    return table


def _read_cell(row: Row, column: PredictorColumn) -> Cell:
    """None for what is absent or unusable; absent text is empty, as AutoGluon would make it of None, but where training
    knew empty text as a category."""
    return read_value(row.attributes.get(column.name) or "", column.type)


def _image_cell(row: Row, images: PredictorImages) -> Cell:
    """Where there is none: a path, or bytes, that AutoGluon cannot open, and replaces by a black image."""
    if images.form == "bytes":
        return [path.read_bytes() for path in row.images] or [b""]
    return _SEPARATOR.join(map(str, row.images))


def unpack_predictor(folder: BundleFolder, target: Path) -> PredictorManifest:
    """Write the predictor's folder to `target`, verified. BadBundle for another kind, or a tar that is damaged.

    What was written is deleted by the caller, and used only if this returns.
    """
    manifest = folder.description
    if not isinstance(manifest, PredictorManifest):
        raise BadBundle(f"{folder.model} is of the kind {manifest.kind}, where a MultiModalPredictor is needed")
    unpack(folder.stream(manifest.archive), folder.sizes[manifest.archive], target)
    return manifest
