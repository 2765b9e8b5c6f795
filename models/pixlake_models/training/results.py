"""The results of a training: bundles with their metrics, plots, and each held-out answer."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixlake_models.autogluon.compile import AutoGluonSource, compile_autogluon
from pixlake_models.training.evaluation_plots import draw_confusion, draw_reliability, draw_values
from pixlake_models.training.pair import Evaluation, Examples, Figures, Trained, evaluate
from pixlake_models.training.parts import Rows

_PROOF_ROWS = 200


@dataclass(frozen=True)
class Entrant:
    """A trained model, the folder of the bundle to be, and the bundle's `source`."""

    model: Trained
    target: Path
    source: dict[str, str]

    @property
    def role(self) -> str:
        """Its role in a `pixlake.json`."""
        return "with_image" if self.model.images else "without_image"


@dataclass(frozen=True)
class Result:
    """`models` are `name@version` by role, `figures` those of each model by its name; `evaluation` is the folder with
    the plots and the held-out answers."""

    models: dict[str, str]
    figures: dict[str, Figures]
    evaluation: Path


def publish(entrants: Sequence[Entrant], examples: Examples, ids: Sequence[str], evaluation: Path) -> Result:
    """Evaluate the models on the held-out records, write the evaluation to its folder, and compile them.

    Raises NotServable or NotEqual as compiling does, with the evaluation written.
    """
    evaluated = {each.target.name: evaluate(each.model, examples, _heldout(each.model, examples)) for each in entrants}
    figures = {each.target.name: _figures(each, entrants, evaluated, examples) for each in entrants}
    _write_evaluation(evaluated, figures, ids, evaluation)
    models = {each.role: _compile(each, examples, figures[each.target.name]) for each in entrants}
    return Result(models, figures, evaluation)


def _heldout(model: Trained, examples: Examples) -> Rows:
    heldout = examples.parts.heldout
    return examples.illustrated(heldout) if model.images else heldout


def _figures(
    entrant: Entrant, others: Sequence[Entrant], evaluated: Mapping[str, Evaluation], examples: Examples
) -> Figures:
    """The metrics; for the table's model also on the records with pictures, to compare with the other one."""
    figures = evaluated[entrant.target.name].figures
    if entrant.model.images or not any(each.model.images for each in others):
        return figures
    illustrated = evaluate(entrant.model, examples, examples.illustrated(examples.parts.heldout))
    return figures | {"heldout_with_image": illustrated.figures["heldout"]}


def _compile(entrant: Entrant, examples: Examples, figures: Figures) -> str:
    """The bundle, proved on rows that the model learned; `name@version`."""
    model, parts = entrant.model, examples.parts
    learned, chosen = (
        examples.illustrated(each) if model.images else each for each in (parts.learning, parts.validation)
    )
    rows = examples.table(learned, images=model.images)
    sample = rows.sample(min(_PROOF_ROWS, len(rows)), random_state=0)
    metrics: dict[str, Any] = {**figures, "training": {"rows": len(learned), "validation_rows": len(chosen)}}
    source = AutoGluonSource(model.predictor, sample, entrant.source, pixels="shown")
    version = compile_autogluon(source, entrant.target, metrics)
    return f"{entrant.target.name}@{version}"


def _write_evaluation(
    evaluated: Mapping[str, Evaluation], figures: Mapping[str, Figures], ids: Sequence[str], folder: Path
) -> None:
    """The plots, `metrics.json`, and `heldout.csv` with each held-out record's truth and each model's answer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    with (folder / "heldout.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "id", "truth", "answer", "score"])
        for name, evaluation in evaluated.items():
            answers = zip(evaluation.rows, _answers(evaluation), strict=True)
            writer.writerows([name, ids[row], *answer] for row, answer in answers)
    for name, evaluation in evaluated.items():
        _draw(name, evaluation, folder)


def _answers(evaluation: Evaluation) -> list[tuple[Any, ...]]:
    """(truth, answer, score) of each row; a value has no score."""
    if evaluation.answers is None:
        values = zip(evaluation.truth, evaluation.values, strict=True)
        return [(f"{truth:g}", f"{value:g}", "") for truth, value in values]
    answers = evaluation.answers
    scored = zip(answers.truth, answers.chosen, answers.probabilities.max(axis=1), strict=True)
    return [(answers.labels[truth], answers.labels[chosen], f"{score:.4f}") for truth, chosen, score in scored]


def _draw(name: str, evaluation: Evaluation, folder: Path) -> None:
    title = f"{name}: {len(evaluation.rows)} held-out records"
    if evaluation.answers is None:
        draw_values(evaluation.truth, evaluation.values, title, folder / f"{name}-values.png")
    else:
        draw_confusion(evaluation.answers, title, folder / f"{name}-confusion.png")
        draw_reliability(evaluation.answers, title, folder / f"{name}-reliability.png")
