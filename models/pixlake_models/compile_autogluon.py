"""An AutoGluon MultiModalPredictor as a record classifier bundle: columns, scaling, categories, images, network.

The bundle is proved on rows before it is written: loaded as the containers load it and asked for the same rows, it must
give AutoGluon's own probabilities. What cannot be compiled is refused with the reason.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas
from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import BINARY, MULTICLASS, REGRESSION
from sklearn.preprocessing import StandardScaler

from pixlake.inference.classifier import Classifier
from pixlake.inference.manifest import Manifest, Output, Regression
from pixlake_models.autogluon_columns import image_column, read_inputs
from pixlake_models.autogluon_graph import OUTPUT, Network, example_tensors, traceable_lengths
from pixlake_models.autogluon_replay import greatest_difference, vary_rows
from pixlake_models.bundles import trial_bundle, write_bundle
from pixlake_models.errors import NotEqual, NotServable
from pixlake_models.graphs import export_graph

GRAPH = "model.onnx"
GREATEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class AutoGluonSource:
    """What there is to compile. `rows` have the training table's columns, image paths included; the bundle is proved
    on them and on variations with nulls, unknown categories and missing images. `source` names origin and licence."""

    predictor: MultiModalPredictor
    rows: pandas.DataFrame
    source: dict[str, str]


def compile_autogluon(model: AutoGluonSource, target: Path, metrics: dict[str, Any]) -> str:
    """Write the bundle named like `target`, and return its version.

    Raises NotServable for a model that a bundle cannot hold, NotEqual for one whose bundle answers otherwise.
    """
    learner = model.predictor._learner
    manifest = _describe(learner, target.name, model.source)
    learner._model.float().cpu()
    network = Network(learner._model, manifest.inputs)
    with traceable_lengths():
        files = {GRAPH: export_graph(network, example_tensors(manifest.inputs), OUTPUT)}
    rows = vary_rows(model.rows, manifest, image_column(learner))
    with trial_bundle(manifest, files) as folder:
        difference = greatest_difference(model.predictor, Classifier(folder), manifest, rows)
    if not difference <= GREATEST_DIFFERENCE:
        raise NotEqual(
            f"{target.name}: the bundle's answers differ from AutoGluon's by {difference:.2g} on {len(rows)} rows"
        )
    measured = {"autogluon_difference": float(f"{difference:.2g}"), "autogluon_rows": len(rows)}
    return write_bundle(target, msgspec.structs.replace(manifest, metrics=metrics | measured), files)


def _describe(learner: Any, name: str, source: dict[str, str]) -> Manifest:
    problem = learner.problem_type
    if problem not in (BINARY, MULTICLASS, REGRESSION):
        raise NotServable(f"{name}: a bundle answers {BINARY}, {MULTICLASS} or {REGRESSION}, not {problem!r}")
    labels = () if problem == REGRESSION else tuple(map(str, learner._df_preprocessor.label_generator.classes_))
    return Manifest(
        format=1,
        name=name,
        kind="record_classifier",
        inputs=read_inputs(learner),
        graph=GRAPH,
        output=Output(OUTPUT, "none" if problem == REGRESSION else "softmax"),
        files={},
        source=source,
        problem=problem,
        labels=labels,
        regression=_regression(learner._df_preprocessor.label_scaler) if problem == REGRESSION else None,
    )


def _regression(scaler: Any) -> Regression:
    """What AutoGluon's scaler of the label undoes: `value = output * scale + mean`."""
    if isinstance(scaler, StandardScaler):
        mean = float(scaler.mean_[0]) if scaler.with_mean else 0.0
        return Regression(mean=mean, scale=float(scaler.scale_[0]) if scaler.with_std else 1.0)
    return Regression(mean=-float(scaler.min_[0] / scaler.scale_[0]), scale=1 / float(scaler.scale_[0]))
