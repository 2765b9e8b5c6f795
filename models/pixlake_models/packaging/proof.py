"""Compares a packaged predictor with its original, on rows as each gets them. AutoGluon gets them as pandas reads them;
the package, as in the container, as a table's cells and images' bytes: a difference shows a wrong description.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import REGRESSION
from numpy.typing import NDArray

from pixlake.bundles.folders import read_folder
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import NotEqual
from pixlake.images.decoders import Decoders, Limits
from pixlake.inference.autogluon import read_predictor
from pixlake.inference.classifier import Prediction
from pixlake.inference.predictor import Predictor, Row
from pixlake_models.autogluon.rows import IMAGE_SEPARATOR, check_columns
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.probabilities import as_row

UNSEEN = "a category that training never saw"
GREATEST_DIFFERENCE = 1e-4
_VARIED = 8


def prove_package(predictor: MultiModalPredictor, folder: Path, rows: pandas.DataFrame, scratch: Path) -> list[Figure]:
    """The difference between the answers of the bundle in `folder` and the predictor's; NotEqual above the bound, and
    BadRequest for rows without a column that it reads. Images are put into `scratch`."""
    bundle = read_folder(folder.as_uri())
    manifest, fitted = read_predictor(bundle)
    names = [column.name for column in manifest.columns]
    names += [manifest.images.column] if manifest.images else []
    check_columns(rows, names, folder.name)
    rows = _vary(rows[names], manifest)
    packaged = Predictor(bundle.model, manifest, fitted, scratch)
    decoders = Decoders(Limits())
    found = packaged.predict([_as_served(row, packaged, manifest, decoders) for row in rows.to_dict("records")])
    difference = _difference(predictor, rows, found)
    if not difference <= GREATEST_DIFFERENCE:
        raise NotEqual(f"{folder.name}: from the tar the answers differ by {difference:.2g} on {len(rows)} rows")
    return [
        Figure("autogluon_difference", difference, most=GREATEST_DIFFERENCE),
        Figure("autogluon_rows", float(len(rows))),
    ]


def _vary(rows: pandas.DataFrame, manifest: PredictorManifest) -> pandas.DataFrame:
    """The rows, and a few of them again with each column missing or unseen."""
    few = rows.head(_VARIED)
    variations = [rows, few.assign(**{column.name: None for column in manifest.columns})]
    for column in manifest.columns:
        variations.append(few.assign(**{column.name: None}))
        if column.type == "text":
            variations.append(few.assign(**{column.name: UNSEEN}))
    if manifest.images and not manifest.needs_image:
        variations.append(few.assign(**{manifest.images.column: None}))
    return pandas.concat([each.astype(object) for each in variations], ignore_index=True)


def _as_served(row: dict[Any, Any], packaged: Predictor, manifest: PredictorManifest, decoders: Decoders) -> Row:
    """A row as Pixlake has it: text or null, and its images' bytes."""
    cells = {column.name: row[column.name] for column in manifest.columns}
    images = _read_images(row[manifest.images.column]) if manifest.images else iter(())
    paths = [packaged.prepare_image(data, decoders) for data in images]
    attributes = {name: None if pandas.isna(cell) else str(cell) for name, cell in cells.items()}
    return packaged.make_example(attributes, paths[: packaged.most_images])


def _read_images(cell: Any) -> Iterator[bytes]:
    """The images of a cell as AutoGluon takes it: paths, or bytes, or nothing."""
    if isinstance(cell, bytes | list):
        yield from [cell] if isinstance(cell, bytes) else cell
    elif isinstance(cell, str):
        yield from (path.read_bytes() for path in map(Path, cell.split(IMAGE_SEPARATOR)) if path.is_file())


def _difference(predictor: MultiModalPredictor, rows: pandas.DataFrame, predictions: list[Prediction | None]) -> float:
    """The greatest difference between probabilities, or between values over their spread."""
    if predictor.problem_type == REGRESSION:
        values = np.asarray(predictor.predict(rows, as_pandas=False), dtype=np.float64).reshape(-1, 1)
        return float(np.abs(_as_rows(predictions, 1) - values).max() / (values.std() or 1))
    expected = np.asarray(predictor.predict_proba(rows, as_pandas=False), dtype=np.float64)
    return float(np.abs(_as_rows(predictions, expected.shape[1]) - expected).max())


def _as_rows(predictions: list[Prediction | None], width: int) -> NDArray[np.float64]:
    return np.stack([as_row(each, width) for each in predictions])
