"""Rows to prove a compiled model on: those of a table, or without one, rows made up from the model's fitted
preprocessor, for AutoGluon keeps no training rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from autogluon.multimodal.constants import TEXT

from pixlake.bundles.manifest import CategoricalInput, ImageInput, Input, Manifest, NumericalInput, TextInput
from pixlake.errors import BadRequest
from pixlake_models.exporting.pictures import make_pictures

MADE_UP = 32
IMAGE_SEPARATOR = ";"
_READERS: dict[str, Callable[[Path], pandas.DataFrame]] = {
    ".csv": pandas.read_csv,
    ".tsv": lambda path: pandas.read_csv(path, sep="\t"),
    ".parquet": pandas.read_parquet,
}
_WORDS = 12
_DEVIATIONS = 1.5


def read_rows(path: Path, image_column: str | None) -> pandas.DataFrame:
    """The table at `path`, its images' paths relative to its folder; BadRequest for any other file."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadRequest(f"{path}: rows come from a file that ends in {', '.join(_READERS)}")
    try:
        rows = reader(path)
    except Exception as error:  # pandas and its parsers have no common error
        raise BadRequest(f"{path}: pandas cannot read it: {error}") from error
    if rows.empty:
        raise BadRequest(f"{path}: it has no rows")
    if image_column in rows:
        rows[image_column] = [_located(cell, path.parent) for cell in rows[image_column]]
    return rows


def check_columns(rows: pandas.DataFrame, wanted: list[str], where: str) -> None:
    """BadRequest unless `rows` have the columns that the model was trained on."""
    if missing := [name for name in wanted if name not in rows]:
        raise BadRequest(f"{where}: the model also reads {missing}, which the rows lack")


def make_up_rows(learner: Any, manifest: Manifest, image_column: str | None, folder: Path) -> pandas.DataFrame:
    """Numbers around each column's mean, categories, words of the tokenizer, drawn pictures, written to `folder`."""
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for each in manifest.inputs:
        columns |= _made_up(each, learner, random)
    if image_column and manifest.image_input:
        columns[image_column] = _pictures(manifest.image_input.max_images, folder, random)
    return pandas.DataFrame(columns)


def _located(cell: Any, folder: Path) -> str | None:
    """A cell's paths, which may be several, from the working directory rather than from the table."""
    if pandas.isna(cell):
        return None
    return IMAGE_SEPARATOR.join(str(folder / path) for path in str(cell).split(IMAGE_SEPARATOR) if path)


def _made_up(declared: Input, learner: Any, random: np.random.Generator) -> dict[str, Any]:
    match declared:
        case NumericalInput():
            spread = _DEVIATIONS * random.normal(size=(MADE_UP, len(declared.columns)))
            parts = zip(declared.columns, spread.T, strict=True)
            return {each.name: each.mean + each.scale * part for each, part in parts}
        case CategoricalInput():
            map_of = learner._df_preprocessor._feature_generators[declared.column].category_map
            known = pandas.Series(map_of[declared.column].to_list())
            return {declared.column: known.sample(MADE_UP, replace=True, random_state=0).to_list()}
        case TextInput():
            return {name: _texts(learner, random) for name in declared.columns}
        case ImageInput():
            return {}


def _texts(learner: Any, random: np.random.Generator) -> list[str]:
    """Words of the first tokenizer's vocabulary."""
    tokenizer = learner._data_processors[TEXT][0].tokenizer
    lengths = random.integers(1, _WORDS, MADE_UP)
    return [
        tokenizer.decode(random.integers(0, len(tokenizer), length), skip_special_tokens=True) for length in lengths
    ]


def _pictures(most: int, folder: Path, random: np.random.Generator) -> list[str]:
    """For each row, at most as many as the model takes."""
    plain = [each for each in make_pictures() if each.plain]
    paths = [str(folder / f"made-up-{index}") for index in range(len(plain))]
    for path, picture in zip(paths, plain, strict=True):
        Path(path).write_bytes(picture.data)
    counts = random.integers(1, most, MADE_UP, endpoint=True)
    return [IMAGE_SEPARATOR.join(random.choice(paths, count)) for count in counts]
