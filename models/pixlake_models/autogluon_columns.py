"""What an AutoGluon model makes of a row before its network, as inputs of a bundle.

Read out of the fitted preprocessor and the data processors of MultiModalPredictor (autogluon.multimodal 1.6), which
keep it in private attributes: `compile_autogluon` proves the result on rows, so another AutoGluon shows itself there.
"""

from collections.abc import Iterator
from typing import Any

from autogluon.multimodal.constants import CATEGORICAL, IMAGE, LABEL, NUMERICAL

from pixlake.inference.manifest import (
    CategoricalInput,
    ImageInput,
    Input,
    NumericalColumn,
    NumericalInput,
    Preprocessing,
)
from pixlake_models.errors import NotServable

WHITE = (255, 255, 255)
_RESIZES = {("resize_to_square",): "squash", ("resize_shorter_side", "center_crop"): "shortest"}
_SERVABLE = {IMAGE, NUMERICAL, CATEGORICAL, LABEL}


def read_inputs(learner: Any) -> tuple[Input, ...]:
    """The inputs of the learner's network; NotServable where a bundle has no words for one."""
    processors = {kind: each for kind, each in learner._data_processors.items() if each}
    if unknown := sorted(processors.keys() - _SERVABLE):
        raise NotServable(f"a bundle holds image, numerical and categorical columns; this model also takes {unknown}")
    columns = learner._df_preprocessor
    inputs: list[Input] = []
    for processor in processors.get(IMAGE, ()):
        inputs.append(_image(processor))
    for processor in processors.get(NUMERICAL, ()):
        inputs.append(NumericalInput(processor.numerical_key, tuple(_numerical(columns))))
    for processor in processors.get(CATEGORICAL, ()):
        inputs.extend(_categorical(columns, processor.categorical_key))
    return tuple(inputs)


def image_column(learner: Any) -> str | None:
    """The one column of image paths."""
    names = learner._df_preprocessor.image_feature_names
    if len(names) > 1:
        raise NotServable(f"a record's images come in one list, but this model tells apart the columns {names}")
    return names[0] if names else None


def categorical_tensor(key: str, column: str) -> str:
    """The graph's tensor of one categorical column; AutoGluon has a tuple of them under one key."""
    return f"{key}.{column}"


def _image(processor: Any) -> ImageInput:
    resize = _RESIZES.get(tuple(processor.val_transforms))
    if resize is None:
        raise NotServable(f"no bundle preprocesses images with {processor.val_transforms}; known are {list(_RESIZES)}")
    return ImageInput(
        tensor=processor.image_key,
        preprocessing=Preprocessing(
            width=processor.size,
            height=processor.size,
            resize=resize,  # type: ignore[arg-type]
            interpolation="bicubic",
            background=WHITE,
            mean=tuple(map(float, processor.mean)),  # type: ignore[arg-type]
            std=tuple(map(float, processor.std)),  # type: ignore[arg-type]
        ),
        max_images=processor.max_image_num_per_column,
        count_tensor=processor.image_valid_num_key,
        missing="zero" if processor.missing_value_strategy == "zero" else "refuse",
    )


def _numerical(columns: Any) -> Iterator[NumericalColumn]:
    for name in columns.numerical_feature_names:
        steps = columns._feature_generators[name].named_steps
        scaler = steps["scaler"]
        yield NumericalColumn(
            name=name,
            fill=float(steps["imputer"].statistics_[0]),
            mean=float(scaler.mean_[0]) if scaler.with_mean else 0.0,
            scale=float(scaler.scale_[0]) if scaler.with_std else 1.0,
        )


def _categorical(columns: Any, key: str) -> Iterator[CategoricalInput]:
    """AutoGluon keeps one more index than it has categories, for the unknown and the missing."""
    for name, count in columns.categorical_num_categories.items():
        categories = list(columns._feature_generators[name].category_map[name])
        if strange := sorted({type(each).__name__ for each in categories if not isinstance(each, str | int)}):
            raise NotServable(
                f"the categories of {name!r} are {strange}; train it on text, for a table's cells are text"
            )
        yield CategoricalInput(
            tensor=categorical_tensor(key, name),
            column=name,
            categories=tuple(map(str, categories)),
            unknown=count - 1,
            missing=count - 1,
        )
