"""Training one record classifier with AutoGluon's MultiModalPredictor, small enough for a processor without a GPU."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
from autogluon.multimodal import MultiModalPredictor

from pixlake_models.training.backbones import Backbone
from pixlake_models.training.columns import Columns
from pixlake_models.training.parts import Problem

# AutoGluon's names; squashing loses nothing at the edges
_RESIZING = ["resize_to_square"]
_AUGMENTED = [*_RESIZING, "affine", "color_jitter"]
_STEPS = 20  # at least, in an epoch of few rows
_BATCHES = range(3, 7)  # as powers of two
_COMMON: dict[str, Any] = {
    "data.categorical.minimum_cat_count": 3,
    "data.categorical.maximum_num_cat": 500,
    "env.num_gpus": 0,
    "env.accelerator": "cpu",
    "env.precision": "32",
    "env.num_workers": 0,
    "env.num_workers_inference": 0,
    "optim.val_check_interval": 1.0,
    "optim.top_k": 1,
    "model.categorical_mlp.dropout": 0.2,
    "model.numerical_mlp.dropout": 0.2,
}
_RATE = 1e-3  # of the last layers; AutoGluon reduces it by a tenth a layer towards the picture
_TEXT_RATE = 1e-4  # higher rates make transformers forget their pretraining


@dataclass(frozen=True)
class Recipe:
    """The training settings. `time_limit` is in seconds; `images` the most pictures used of a record."""

    epochs: int
    seed: int = 0
    time_limit: float | None = None
    backbone: Backbone | None = None
    text_backbone: Path | None = None
    images: int = 1


@dataclass(frozen=True)
class Lesson:
    """One model's training rows, and the rows that choose its best epoch: tables with the columns of `columns`,
    `label`, and `image`, files with `;` between, unless that is None."""

    problem: Problem
    columns: Columns
    label: str
    image: str | None
    learning: pandas.DataFrame
    validation: pandas.DataFrame


def train(lesson: Lesson, recipe: Recipe, folder: Path) -> MultiModalPredictor:
    """Train in `folder`, which must not exist, and keep the best epoch on the validation rows."""
    types = lesson.columns.types | ({lesson.image: "image_path"} if lesson.image else {})
    predictor = MultiModalPredictor(
        label=lesson.label,
        problem_type=lesson.problem,
        # of probabilities, not of answers: with few rows it tells epochs apart better, and calibrates better
        eval_metric="rmse" if lesson.problem == "regression" else "log_loss",
        path=str(folder),
        verbosity=0,
        enable_progress_bar=sys.stdout.isatty(),
    )
    return predictor.fit(
        lesson.learning,
        tuning_data=lesson.validation,
        hyperparameters=hyperparameters(lesson, recipe),
        column_types=types,
        time_limit=recipe.time_limit,
        seed=recipe.seed,
    )


def hyperparameters(lesson: Lesson, recipe: Recipe) -> dict[str, Any]:
    """In AutoGluon's terms: a network for each kind of column, and one that fuses them."""
    columns, backbone = lesson.columns, recipe.backbone
    batch = _batch_size(len(lesson.learning))
    settings = _COMMON | {"env.per_gpu_batch_size": batch, "env.batch_size": batch}
    settings |= {"optim.max_epochs": recipe.epochs, "optim.lr": _RATE}
    names = []
    if lesson.image and backbone:
        names.append("timm_image")
        settings |= _image_settings(backbone, recipe)
    if columns.text:
        names.append("hf_text")
        settings |= {
            "model.hf_text.checkpoint_name": str(recipe.text_backbone),
            "model.hf_text.max_text_len": 128,
            "optim.lr": _TEXT_RATE,
        }
    if columns.categorical:
        names.append("categorical_mlp")
    if columns.numerical:
        names.append("numerical_mlp")
    return settings | {"model.names": [*names, "fusion_mlp"] if len(names) > 1 else names}


def _image_settings(backbone: Backbone, recipe: Recipe) -> dict[str, Any]:
    return {
        "model.timm_image.checkpoint_name": str(backbone.folder),
        "model.timm_image.max_image_num_per_column": recipe.images,
        "model.timm_image.train_transforms": _AUGMENTED,
        "model.timm_image.val_transforms": _RESIZING,
    }


def _batch_size(rows: int) -> int:
    power = (rows // _STEPS).bit_length() - 1
    return 1 << min(max(power, _BATCHES[0]), _BATCHES[-1])
