"""Compares AutoGluon and a bundle on the same rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import LOGITS
from autogluon.multimodal.utils import extract_from_output, logits_to_prob
from numpy.typing import NDArray

from pixlake.bundles.manifest import Manifest
from pixlake.errors import BadImage
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.batches import grouped
from pixlake.inference.classifier import Classifier
from pixlake.inference.encoders import Example
from pixlake_models.autogluon.rows import IMAGE_SEPARATOR
from pixlake_models.autogluon.variations import Variation, category_columns, number_columns, text_columns
from pixlake_models.exporting.probabilities import as_row

_MAX_PIXELS = 100_000_000
_AT_ONCE = 16


@dataclass(frozen=True)
class Difference:
    """The greatest difference between AutoGluon's and the bundle's probabilities, or values over the label's scale."""

    variation: str
    rows: int
    difference: float


@dataclass(frozen=True)
class Replay:
    """AutoGluon's predictor and the bundle made of it; `image_column` holds a row's paths."""

    predictor: MultiModalPredictor
    classifier: Classifier
    manifest: Manifest
    image_column: str | None

    def compare(self, variations: Sequence[Variation]) -> list[Difference]:
        """The difference of each variation; AutoGluon gets all rows at once, since starting it takes a second."""
        rows = pandas.concat([each.rows for each in variations], ignore_index=True)
        expected = self._expected(rows)
        found = np.concatenate([self._found(each, expected.shape[1]) for each in variations])
        differences = _differences(expected, found) / (
            self.manifest.regression.scale if self.manifest.regression else 1
        )
        ends = np.cumsum([len(each.rows) for each in variations])
        parts = np.split(differences, ends[:-1])
        return [
            Difference(each.name, len(part), float(part.max())) for each, part in zip(variations, parts, strict=True)
        ]

    def _expected(self, rows: pandas.DataFrame) -> NDArray[np.float64]:
        """AutoGluon's probabilities or values; NaN where its network gives no number, for which AutoGluon makes up an
        answer."""
        learner = self.predictor._learner
        outputs = learner.predict_per_run(data=rows, realtime=False, requires_label=False)
        raw, logits = (
            torch.cat([each[LOGITS] for each in outputs]),
            extract_from_output(outputs=outputs, ret_type=LOGITS),
        )
        if self.manifest.problem == "regression":
            answers = learner._df_preprocessor.transform_prediction(y_pred=logits)
        else:
            answers = logits_to_prob(logits)
        known = raw.isfinite().all(dim=1, keepdim=True).numpy()
        return np.where(known, np.asarray(answers, dtype=np.float64).reshape(len(rows), -1), np.nan)

    def _found(self, variation: Variation, width: int) -> NDArray[np.float64]:
        examples = (self._example(row, variation) for row in variation.rows.to_dict("records"))
        predictions = (each for group in grouped(examples, _AT_ONCE) for each in self.classifier.predict(group))
        return np.stack([as_row(each, width) for each in predictions])

    def _example(self, row: Mapping[Any, Any], variation: Variation) -> Example:
        """A row as Pixlake has it: text or null, and the images that can be decoded."""
        categories, spelled = category_columns(self.manifest), {*number_columns(self.manifest)}
        spelled |= {name for name, each in categories.items() if each.compare == "number"}
        names = [*number_columns(self.manifest), *categories, *text_columns(self.manifest)]
        attributes = {name: _cell(row[name], variation.spell if name in spelled else str) for name in names}
        return Example(attributes, list(self._images(row)))

    def _images(self, row: Mapping[Any, Any]) -> Iterator[NDArray[np.float32]]:
        declared = self.manifest.image_input
        if declared is None or self.image_column is None:
            return
        for path in str(row[self.image_column]).split(IMAGE_SEPARATOR)[: declared.max_images]:
            try:
                picture = decode_for(Path(path).read_bytes(), declared.preprocessing, _MAX_PIXELS)
            except (OSError, BadImage):
                continue
            yield tensor(picture.pixels, declared.preprocessing)


def _cell(value: Any, spell: Callable[[Any], str]) -> str | None:
    """A value as the cell of a table, a number as `spell` writes it."""
    if pandas.isna(value):
        return None
    return spell(value) if isinstance(value, Real) else str(value)


def _differences(expected: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The greatest difference of each row; 0 where neither gives a number, infinite where only one does."""
    both = np.isnan(expected) & np.isnan(found)
    differences = np.where(both, 0.0, np.abs(found - expected))
    return np.asarray(np.nan_to_num(differences, nan=np.inf).max(axis=1))
