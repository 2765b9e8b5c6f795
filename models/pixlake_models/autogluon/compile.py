"""An AutoGluon MultiModalPredictor as a record classifier bundle: columns, scaling, categories, texts, images, network.

The bundle is proved on rows before it is written: loaded as the containers load it and asked for the same rows, it must
give AutoGluon's own probabilities. What cannot be compiled is refused with the reason.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas
from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import BINARY, MULTICLASS, REGRESSION
from autogluon.multimodal.learners import BaseLearner
from sklearn.preprocessing import StandardScaler

from pixlake.bundles.manifest import Manifest, Output, Pixels, Regression
from pixlake.errors import NotEqual, NotServable
from pixlake.inference.classifier import Classifier
from pixlake_models.autogluon.columns import find_image_column, read_inputs
from pixlake_models.autogluon.graph import OUTPUT, Network, example_tensors, token_tensors, traceable
from pixlake_models.autogluon.replay import Difference, Replay
from pixlake_models.autogluon.rows import check_columns, make_up_rows
from pixlake_models.autogluon.text import write_tokenizers
from pixlake_models.autogluon.variations import Variation, columns_read, vary_rows
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.writing import check_target, trial_bundle, write_bundle

GRAPH = "model.onnx"
GREATEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class AutoGluonSource:
    """The model to compile. `rows` have the training table's columns, image paths included; the bundle is proved
    on them and on variations with nulls, unknown categories, odd texts and pictures; without them, on made-up rows.
    `source` names origin and licence. `pixels` are those that the training files hold: AutoGluon reads the `stored`
    ones of a picture, and `training.pictures` writes files of the `shown` ones. A bundle of these is proved on pictures
    in which both are the same."""

    predictor: MultiModalPredictor
    rows: pandas.DataFrame | None
    source: dict[str, str]
    pixels: Pixels = "stored"


def compile_autogluon(model: AutoGluonSource, target: Path, metrics: dict[str, Any]) -> str:
    """Write the bundle named like `target`, and return its version.

    Its metrics are `metrics` and the proof: `autogluon_difference`, the greatest, `autogluon_rows`, and in `autogluon`
    the rows and the greatest difference of each variation. Raises NotServable for a model that a bundle cannot hold,
    NotEqual for one whose bundle's answers differ, and BadRequest for rows that lack a column.
    """
    check_target(target)
    learner = model.predictor._learner
    manifest = _describe(learner, target.name, model)
    learner._model.float().cpu()
    files = {GRAPH: _export(learner._model, manifest), **write_tokenizers(learner)}
    measured = _measured(_prove(model, manifest, files))
    return write_bundle(target, msgspec.structs.replace(manifest, metrics=metrics | measured), files)


def _describe(learner: Any, name: str, model: AutoGluonSource) -> Manifest:
    problem = learner.problem_type
    if problem not in (BINARY, MULTICLASS, REGRESSION):
        raise NotServable(f"{name}: a bundle answers {BINARY}, {MULTICLASS} or {REGRESSION}, not {problem!r}")
    if type(learner) is not BaseLearner:
        raise NotServable(f"{name}: a bundle holds one network, this model is a {type(learner).__name__}")
    labels = () if problem == REGRESSION else tuple(map(str, learner._df_preprocessor.label_generator.classes_))
    return Manifest(
        format=1,
        name=name,
        kind="record_classifier",
        inputs=read_inputs(learner, model.pixels),
        graph=GRAPH,
        output=Output(OUTPUT, "none" if problem == REGRESSION else "softmax"),
        files={},
        source=model.source,
        problem=problem,
        labels=labels,
        regression=_regression(learner._df_preprocessor.label_scaler) if problem == REGRESSION else None,
    )


def _regression(scaler: Any) -> Regression:
    """The inverse of AutoGluon's scaler of the label: `value = output * scale + mean`."""
    if isinstance(scaler, StandardScaler):
        mean = float(scaler.mean_[0]) if scaler.with_mean else 0.0
        return Regression(mean=mean, scale=float(scaler.scale_[0]) if scaler.with_std else 1.0)
    return Regression(mean=-float(scaler.min_[0] / scaler.scale_[0]), scale=1 / float(scaler.scale_[0]))


def _export(network: Any, manifest: Manifest) -> bytes:
    inputs = manifest.inputs
    try:
        with traceable(network):
            return export_graph(Network(network, inputs), example_tensors(inputs), OUTPUT, token_tensors(inputs))
    except Exception as error:  # torch, ONNX and each network have errors of their own
        raise NotServable(f"{manifest.name}: its network has no ONNX graph: {error}") from error


def _prove(model: AutoGluonSource, manifest: Manifest, files: dict[str, bytes]) -> list[Difference]:
    """Compare the answers on the rows and their variations; NotEqual if they differ anywhere."""
    learner = model.predictor._learner
    images = find_image_column(learner)
    with trial_bundle(manifest, files) as folder, tempfile.TemporaryDirectory() as scratch:
        replay = Replay(model.predictor, Classifier(folder), manifest, images)
        compared = replay.compare(_variations(model, manifest, images, Path(scratch)))
    if differing := [each for each in compared if not each.difference <= GREATEST_DIFFERENCE]:
        worst = max(differing, key=lambda each: each.difference)
        raise NotEqual(
            f"{manifest.name}: the bundle's answers differ from AutoGluon's by {worst.difference:.2g} on rows "
            f"{worst.variation!r}; {len(differing)} of {len(compared)} kinds of rows differ by more than "
            f"{GREATEST_DIFFERENCE:g}"
        )
    return compared


def _variations(model: AutoGluonSource, manifest: Manifest, images: str | None, scratch: Path) -> list[Variation]:
    wanted = columns_read(manifest, images)
    if model.rows is None:
        rows = make_up_rows(model.predictor._learner, manifest, images, scratch)
        first = Variation("made up", rows)
    else:
        check_columns(model.rows, wanted, manifest.name)
        rows = model.rows[wanted]
        first = Variation("as they are", rows)
    return [first, *vary_rows(rows, manifest, images, scratch)]


def _measured(compared: Sequence[Difference]) -> dict[str, Any]:
    """The proof as a bundle's metrics."""
    worst = max(each.difference for each in compared)
    each_kind = {each.variation: {"rows": each.rows, "difference": _rounded(each.difference)} for each in compared}
    rows = sum(each.rows for each in compared)
    return {"autogluon_difference": _rounded(worst), "autogluon_rows": rows, "autogluon": each_kind}


def _rounded(difference: float) -> float:
    return float(f"{difference:.2g}")
