"""The same rows through AutoGluon and through a bundle."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from autogluon.multimodal import MultiModalPredictor
from numpy.typing import NDArray

from pixlake.inference.classifier import Classifier, Prediction
from pixlake.inference.encoders import Example
from pixlake.inference.images import decode
from pixlake.inference.manifest import CategoricalInput, ImageInput, Manifest, NumericalInput
from pixlake.inference.preprocessing import tensor

UNSEEN = "a category that training never saw"
MISSING_IMAGE = "no such image"
_MAX_PIXELS = 100_000_000
_VARIED = 8


def vary_rows(rows: pandas.DataFrame, manifest: Manifest, images: str | None) -> pandas.DataFrame:
    """The rows, and a few of them again with each input missing, unknown, and everything missing at once."""
    rows = rows[[name for name in _columns(manifest, images) if name in rows.columns]]
    few = rows.head(_VARIED)
    variations = [rows, few.assign(**dict.fromkeys(_numerical(manifest), float("nan")))]
    for name in _categorical(manifest):
        variations += [few.assign(**{name: None}), few.assign(**{name: UNSEEN})]
    if images:
        variations += [few.assign(**{images: MISSING_IMAGE}), few.assign(**{images: _pairs(few[images])})]
    return pandas.concat(variations, ignore_index=True)


def greatest_difference(
    predictor: MultiModalPredictor, classifier: Classifier, manifest: Manifest, rows: pandas.DataFrame
) -> float:
    """Between AutoGluon's and the bundle's probabilities, or values over the label's scale, on any of the rows."""
    predictions = classifier.predict([_example(row, manifest) for row in rows.to_dict("records")])
    if manifest.problem == "regression":
        assert manifest.regression
        expected = np.asarray(predictor.predict(rows, as_pandas=False), dtype=np.float64).reshape(-1, 1)
        scale = manifest.regression.scale
    else:
        expected = np.asarray(predictor.predict_proba(rows, as_pandas=False), dtype=np.float64)
        scale = 1.0
    found = np.stack([_numbers(each, expected.shape[1]) for each in predictions])
    return float(np.abs(found - expected).max() / scale)


def _columns(manifest: Manifest, images: str | None) -> list[str]:
    return [*_numerical(manifest), *_categorical(manifest), *([images] if images else [])]


def _numerical(manifest: Manifest) -> list[str]:
    inputs = (each for each in manifest.inputs if isinstance(each, NumericalInput))
    return list(dict.fromkeys(column.name for each in inputs for column in each.columns))


def _categorical(manifest: Manifest) -> list[str]:
    return list(dict.fromkeys(each.column for each in manifest.inputs if isinstance(each, CategoricalInput)))


def _pairs(paths: "pandas.Series[str]") -> list[str]:
    """Each row's image with its neighbour's, as AutoGluon writes several."""
    return [f"{first};{second}" for first, second in zip(paths, np.roll(paths, 1), strict=True)]


def _example(row: Mapping[Any, Any], manifest: Manifest) -> Example:
    """A row as Pixlake has it: text or null, and the images that exist."""
    names = _columns(manifest, None)
    attributes = {name: None if pandas.isna(row[name]) else str(row[name]) for name in names if name in row}
    return Example(attributes, list(_images(row, manifest.image_input, names)))


def _images(row: Mapping[Any, Any], declared: ImageInput | None, others: list[str]) -> Iterator[NDArray[np.float32]]:
    if declared is None:
        return
    (column,) = row.keys() - set(others)
    for path in map(Path, str(row[column]).split(";")):
        if path.exists():
            yield tensor(decode(path.read_bytes(), max_pixels=_MAX_PIXELS).pixels, declared.preprocessing)


def _numbers(prediction: Prediction | None, width: int) -> NDArray[np.float64]:
    """Its probabilities in the order of the labels, or its value; not a number where there is none."""
    if prediction is None:
        return np.full(width, np.nan)
    if prediction.probabilities is not None:
        return np.array(list(prediction.probabilities.values()))
    return np.array([prediction.value], dtype=np.float64)
