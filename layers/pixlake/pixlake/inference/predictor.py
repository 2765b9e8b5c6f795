"""A bundle of the kind `autogluon` as the step Classify uses it; AutoGluon itself is behind `Fitted`.

AutoGluon reads a table as pandas does: a number is a float, a category what it was in training, an image a file. Here a
record's cells are text or null, and its images bytes that anybody uploaded, so both are made into what it expects.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.archives import unpack
from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.predictors import PredictorColumn, PredictorImages, PredictorManifest
from pixlake.bundles.values import read_value
from pixlake.errors import BadBundle, ModelTimeout
from pixlake.images.decoders import Decoders
from pixlake.inference.classifier import Prediction, make_prediction
from pixlake.inference.limits import call_within

# Encoded images that are in memory at once, where AutoGluon takes bytes.
_IMAGE_BYTES = 256 << 20
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
    example_bytes = 0
    """Its images are files."""

    def __init__(
        self, model: str, manifest: PredictorManifest, fitted: Fitted, scratch: Path, seconds: float = 20.0
    ) -> None:
        """`seconds`: for one example, by the clock; a call has one example's more."""
        self.model, self._manifest = model, manifest
        self._fitted, self._scratch, self._seconds = fitted, scratch, seconds

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
        """One prediction a row, in order; None where the model answered with no number. ModelTimeout if it takes too
        long."""
        return [each for some in self._portions(rows) for each in self._predict(some)]

    def _portions(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """All rows; of images that are passed as bytes no more than may be in memory."""
        start = held = 0
        for place, row in enumerate(rows):
            size = sum(path.stat().st_size for path in row.images)
            if place > start and held + size > _IMAGE_BYTES and self._passes_bytes:
                yield rows[start:place]
                start, held = place, 0
            held += size
        if rows:
            yield rows[start:]

    @property
    def _passes_bytes(self) -> bool:
        return self._manifest.images is not None and self._manifest.images.form == "bytes"

    def _predict(self, rows: Sequence[Row]) -> list[Prediction | None]:
        table, labels = make_table(rows, self._manifest), self._manifest.labels
        seconds = self._seconds * (len(rows) + 1)
        try:
            values = call_within(seconds, lambda: self._fitted.answer(table), lambda: None)
        except ModelTimeout as error:
            asked = f"{len(rows)} rows within {seconds:g} s (MAX_MODEL_SECONDS a row)"
            raise ModelTimeout(f"{self.model}: AutoGluon did not answer {asked}") from error
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
