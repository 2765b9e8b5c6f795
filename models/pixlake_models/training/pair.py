"""The pair of models for an upload's records: one of pictures and table, one for records without pictures. Both are
trained on the same part of the records and evaluated on the same held-out part.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from autogluon.multimodal import MultiModalPredictor

from pixlake.bundles.values import read_number
from pixlake_models.training.columns import Columns
from pixlake_models.training.evaluation import Answers, Numbers, guess, measure, measure_values
from pixlake_models.training.parts import Parts, Rows
from pixlake_models.training.records import Records
from pixlake_models.training.train import Lesson, Recipe, train

SEPARATOR = ";"  # between several files of one record, as AutoGluon has it
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Examples:
    """Records ready for training. `rows` has the typed columns, `label`, and `image`: files with `;` between, or
    null."""

    columns: Columns
    label: str
    image: str
    rows: pandas.DataFrame
    parts: Parts

    def illustrated(self, rows: Rows) -> Rows:
        """Those of the rows that have pictures."""
        return rows[np.asarray(self.rows[self.image].notna(), dtype=np.bool_)[rows]]

    def table(self, rows: Rows, *, images: bool) -> pandas.DataFrame:
        """The columns of the rows that a model with or without images is trained or evaluated on."""
        names = [*self.columns, self.label, *([self.image] if images else [])]
        return self.rows.iloc[rows][names]


@dataclass(frozen=True)
class Trained:
    """One of the pair, and whether it takes pictures."""

    predictor: MultiModalPredictor
    images: bool


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on held-out `rows`: of a regression `values` beside the true ones, else `answers`.
    `figures` has the metrics, and the baseline's."""

    rows: Rows
    answers: Answers | None
    truth: Numbers
    values: Numbers
    figures: Figures


def make_examples(records: Records, columns: Columns, files: tuple[tuple[Path, ...], ...], parts: Parts) -> Examples:
    """The records with typed columns and labels, and their pictures."""
    image = "image"
    while image in {*columns, records.label}:
        image += "_"
    rows = columns.typed(records.table)
    numeric = parts.problem == "regression"
    rows[records.label] = [read_number(each) for each in records.labels] if numeric else list(records.labels)
    rows[image] = [SEPARATOR.join(map(str, each)) or None for each in files]
    return Examples(columns, records.label, image, rows, parts)


def train_one(examples: Examples, recipe: Recipe, folder: Path, *, images: bool) -> Trained:
    """One of the pair, in `folder`."""
    parts = examples.parts
    chosen = [examples.illustrated(each) if images else each for each in (parts.learning, parts.validation)]
    learning, validation = (examples.table(each, images=images) for each in chosen)
    image = examples.image if images else None
    lesson = Lesson(parts.problem, examples.columns, examples.label, image, learning, validation)
    return Trained(train(lesson, recipe, folder), images)


def evaluate(model: Trained, examples: Examples, rows: Rows) -> Evaluation:
    """Evaluate the model on held-out rows."""
    asked = examples.table(rows, images=model.images)
    learned = examples.rows[examples.label].iloc[examples.parts.learning].tolist()
    if examples.parts.problem == "regression":
        truth = asked[examples.label].to_numpy(np.float64)
        values = np.asarray(model.predictor.predict(asked, as_pandas=False), dtype=np.float64).reshape(-1)
        mean = np.full(len(truth), np.mean(learned))
        figures = {"heldout": measure_values(truth, values), "heldout_mean": measure_values(truth, mean)}
        return Evaluation(rows, None, truth, values, figures)
    answers = _ask(model.predictor, asked, examples.label)
    guessed = measure(guess(answers.labels, learned, answers.truth))
    figures = {"heldout": measure(answers), "heldout_majority_class": guessed}
    return Evaluation(rows, answers, np.empty(0), np.empty(0), figures)


def _ask(predictor: MultiModalPredictor, asked: pandas.DataFrame, label: str) -> Answers:
    found = predictor.predict_proba(asked, as_pandas=True)
    labels = [str(each) for each in found.columns]
    index = {each: place for place, each in enumerate(labels)}
    truth = np.array([index[each] for each in asked[label]], dtype=np.int64)
    probabilities = found.to_numpy(np.float64)
    return Answers(labels, truth, probabilities / probabilities.sum(axis=1, keepdims=True))  # of float32, nearly 1
