"""An AutoGluon model's preprocessing of a row, as inputs of a bundle.

Read out of the fitted preprocessor and the data processors of MultiModalPredictor (autogluon.multimodal 1.6), which
keep it in private attributes: `compile_autogluon` proves the result on rows, so a change in AutoGluon is found there.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from autogluon.multimodal.constants import CATEGORICAL, IMAGE, LABEL, NUMERICAL, TEXT
from autogluon.multimodal.models.clip import CLIPForImageText
from autogluon.multimodal.models.timm_image import TimmAutoModelForImagePrediction

from pixlake.bundles.manifest import (
    CategoricalInput,
    ImageInput,
    Input,
    NumericalColumn,
    NumericalInput,
    Pixels,
    Preprocessing,
    Resize,
)
from pixlake.bundles.values import Comparison
from pixlake.errors import NotServable
from pixlake_models.autogluon.text import read_text
from pixlake_models.exporting.channels import WHITE, per_channel

_RESIZES: dict[tuple[str, ...], Resize] = {
    ("resize_to_square",): "squash",
    ("resize_shorter_side", "center_crop"): "shortest",
}
_SERVABLE = {IMAGE, NUMERICAL, CATEGORICAL, TEXT, LABEL}


def read_inputs(learner: Any, pixels: Pixels = "stored") -> tuple[Input, ...]:
    """The inputs of the learner's network; NotServable for one that a bundle cannot express. AutoGluon itself reads the
    stored `pixels` of a picture."""
    processors = {kind: each for kind, each in learner._data_processors.items() if each}
    if unknown := sorted(processors.keys() - _SERVABLE):
        raise NotServable(
            f"a bundle holds image, text, numerical and categorical columns; this model also takes {unknown}"
        )
    columns, networks = learner._df_preprocessor, named_networks(learner._model)
    inputs: list[Input] = []
    for processor in processors.get(IMAGE, ()):
        inputs.append(_image(processor, networks[processor.prefix], pixels))
    for processor in processors.get(TEXT, ()):
        inputs.append(read_text(processor, networks[processor.prefix], columns))
    for processor in processors.get(NUMERICAL, ()):
        inputs.append(NumericalInput(processor.numerical_key, tuple(_numerical(columns))))
    for processor in processors.get(CATEGORICAL, ()):
        inputs.extend(_categorical(columns, processor.categorical_key))
    return tuple(inputs)


def find_image_column(learner: Any) -> str | None:
    """The one column of images; NotServable where there are several."""
    names: list[str] = learner._df_preprocessor.image_feature_names
    if len(names) > 1:
        raise NotServable(f"a record's images come in one list, but this model tells apart the columns {names}")
    return names[0] if names else None


def categorical_tensor(key: str, column: str) -> str:
    """The graph's tensor of one categorical column; AutoGluon has a tuple of them under one key."""
    return f"{key}.{column}"


def named_networks(model: Any) -> dict[str, Any]:
    """The networks that a fused one is made of, by AutoGluon's names; else the only one."""
    parts = model.model if model.prefix.startswith("fusion") else [model]
    return {part.prefix: part for part in parts}


def _image(processor: Any, network: Any, pixels: Pixels) -> ImageInput:
    resize = _RESIZES.get(tuple(processor.val_transforms))
    if resize is None:
        known = " or ".join(str(list(each)) for each in _RESIZES)
        raise NotServable(f"no bundle preprocesses images with {list(processor.val_transforms)}, only with {known}")
    if isinstance(network, TimmAutoModelForImagePrediction):
        check_mixing(network)
    elif isinstance(network, CLIPForImageText):
        check_averaging(network, processor.max_image_num_per_column)
    return ImageInput(
        tensor=processor.image_key,
        preprocessing=Preprocessing(
            width=processor.size,
            height=processor.size,
            resize=resize,
            interpolation="bicubic",
            background=WHITE,
            mean=per_channel(processor.mean),
            std=per_channel(processor.std),
            pixels=pixels,
        ),
        max_images=processor.max_image_num_per_column,
        count_tensor=processor.image_valid_num_key,
        missing="zero" if processor.missing_value_strategy == "zero" else "refuse",
    )


def check_mixing(network: Any) -> None:
    """AutoGluon's other ways to mix a record's images depend on the numbers of images in the other rows of the
    batch."""
    if network.mix_choice != "all_logits" or network.use_learnable_image:
        raise NotServable(
            f"{network.prefix}: with mix_choice {network.mix_choice!r} and use_learnable_image "
            f"{network.use_learnable_image}, a record's answer depends on other rows; train with the defaults"
        )


def check_averaging(network: Any, images: int) -> None:
    """AutoGluon's CLIP divides by the images of the record with the most in the batch, not by a record's own."""
    if images > 1 or network.use_learnable_image:
        raise NotServable(
            f"{network.prefix}: with {images} images a record and use_learnable_image {network.use_learnable_image}, "
            f"a record's answer depends on other rows; train it on one, or on several with timm_image"
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
        yield CategoricalInput(
            tensor=categorical_tensor(key, name),
            column=name,
            categories=tuple(map(str, categories)),
            unknown=count - 1,
            missing=categories.index("") if "" in categories else count - 1,
            compare=_comparison(name, categories),
        )


def _comparison(name: str, categories: Sequence[Any]) -> Comparison:
    """The comparison of a cell, which is text, with AutoGluon's categories, which have the training table's type."""
    if all(isinstance(each, str) for each in categories):
        return "text"
    if all(isinstance(each, bool) for each in categories):
        return "boolean"
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in categories):
        return "number"
    kinds = sorted({type(each).__name__ for each in categories})
    raise NotServable(f"the categories of {name!r} are {' and '.join(kinds)}; train it on text, numbers or booleans")
