"""What a MultiModalPredictor is, in the words of `bundle.json`: which columns it reads, and what their cells were."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from autogluon.multimodal import MultiModalPredictor
from autogluon.multimodal.constants import BINARY, IMAGE, IMAGE_BYTEARRAY, IMAGE_PATH, MULTICLASS, REGRESSION
from autogluon.multimodal.learners import BaseLearner

from pixlake.bundles.predictors import KIND, PredictorColumn, PredictorImages, PredictorManifest
from pixlake.bundles.values import Comparison
from pixlake.errors import NotServable

ARCHIVE = "predictor.tar"
_FORMS = {IMAGE_PATH: "path", IMAGE_BYTEARRAY: "bytes"}


def describe_predictor(predictor: MultiModalPredictor, name: str) -> PredictorManifest:
    """NotServable where the tables have no place for its answers, or an upload nothing that it reads."""
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


def find_image_column(predictor: MultiModalPredictor) -> str | None:
    """The one column of images; NotServable where there are several."""
    names = predictor._learner._df_preprocessor.image_feature_names
    if len(names) > 1:
        raise NotServable(f"a record's images come in one list, but this model tells apart the columns {names}")
    return names[0] if names else None


def _columns(columns: Any) -> Iterator[PredictorColumn]:
    """AutoGluon ignores those of a training table that it learned nothing from."""
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
    name, learner = find_image_column(predictor), predictor._learner
    if name is None:
        return None
    kind = learner._column_types[name]
    if kind not in _FORMS:
        raise NotServable(f"{name}: AutoGluon had it as {kind}; train it on paths or bytes of images")
    processors = learner._data_processors[IMAGE]
    return PredictorImages(
        column=name,
        form=_FORMS[kind],  # type: ignore[arg-type]
        max_images=max(each.max_image_num_per_column for each in processors),
        missing="zero" if all(each.missing_value_strategy == "zero" for each in processors) else "refuse",
    )
