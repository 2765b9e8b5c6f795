"""A MultiModalPredictor's `bundle.json`: the columns that it reads, and their cells' types."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import BINARY, IMAGE, IMAGE_BYTEARRAY, IMAGE_PATH, MULTICLASS, REGRESSION
from autogluon.multimodal.learners import BaseLearner

from pixlake.bundles.predictors import KIND, Form, PredictorColumn, PredictorImages, PredictorManifest
from pixlake.bundles.values import Comparison
from pixlake.errors import NotServable
from pixlake_models.autogluon.columns import find_image_column

ARCHIVE = "predictor.tar"
_FORMS: dict[str, Form] = {IMAGE_PATH: "path", IMAGE_BYTEARRAY: "bytes"}


def describe_predictor(predictor: MultiModalPredictor, name: str) -> PredictorManifest:
    """The predictor's manifest; NotServable where the tables cannot hold its answers, or no upload has its inputs."""
    learner, problem = predictor._learner, predictor.problem_type
    if type(learner) is not BaseLearner or problem not in (BINARY, MULTICLASS, REGRESSION):
        raise NotServable(f"{name}: Pixlake answers {BINARY}, {MULTICLASS} or {REGRESSION}, not {problem!r}")
    return PredictorManifest(
        format=1,
        name=name,
        kind=KIND,
        archive=ARCHIVE,
        files={},
        source={each: version(each) for each in ("autogluon.multimodal", "torch")},
        problem=problem,
        labels=() if problem == REGRESSION else tuple(map(str, predictor.class_labels)),
        columns=tuple(_columns(learner._df_preprocessor)),
        images=_images(predictor),
    )


def _columns(columns: Any) -> Iterator[PredictorColumn]:
    """The columns that AutoGluon learned from; it ignores others of a training table."""
    others = columns.rois_feature_names + columns.document_feature_names + columns.ner_feature_names
    if others:
        raise NotServable(f"the model reads documents or marked text from {others}, which no upload has")
    for name in columns.numerical_feature_names:
        yield PredictorColumn(name, "number")
    for name in columns.text_feature_names:
        yield PredictorColumn(name, "text")
    for name in columns.categorical_feature_names:
        yield PredictorColumn(name, _type(list(columns._feature_generators[name].category_map[name])))


def _type(categories: list[Any]) -> Comparison:
    if all(isinstance(each, bool) for each in categories):
        return "boolean"
    return "number" if all(isinstance(each, int | float) for each in categories) else "text"


def _images(predictor: MultiModalPredictor) -> PredictorImages | None:
    learner = predictor._learner
    name = find_image_column(learner)
    if name is None:
        return None
    kind = learner._column_types[name]
    if kind not in _FORMS:
        raise NotServable(f"{name}: AutoGluon had it as {kind}; train it on paths or bytes of images")
    processors = learner._data_processors[IMAGE]
    return PredictorImages(
        column=name,
        form=_FORMS[kind],
        max_images=max(each.max_image_num_per_column for each in processors),
        missing="zero" if all(each.missing_value_strategy == "zero" for each in processors) else "refuse",
    )
