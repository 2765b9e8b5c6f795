"""Train the demo's record classifiers with AutoGluon on emoji that the sample does not have.

`python -m demo.train_classifiers EMBEDDER FOLDER`: EMBEDDER is what `demo.train_embedder` left; its image tower is
where the network with images begins. Leaves AutoGluon's folders `emoji-group` and `emoji-group-table`, and the rows
that they were trained on.
"""

import json
import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
import torch
from autogluon.multimodal import MultiModalPredictor
from PIL import Image

from demo import backbone
from demo.families import divide, divide_training
from demo.glyphs import draw_small
from demo.table import CATEGORICAL, LABEL, NUMERICAL, describe_emoji
from demo.unicode import Emoji, read_emoji, read_properties

IMAGE, ROWS = "image", "rows.parquet"
SIDE = 72
WITH_IMAGE, WITHOUT_IMAGE = "emoji-group", "emoji-group-table"
EPOCHS = {WITH_IMAGE: 12, WITHOUT_IMAGE: 40}
SEED = 0
_TRUNK = "visual.trunk."
_COMMON: dict[str, Any] = {
    "data.categorical.minimum_cat_count": 5,
    "data.categorical.maximum_num_cat": 100,
    "env.num_gpus": 0,
    "env.accelerator": "cpu",
    "env.precision": "32",
    "env.num_workers": 0,
    "env.num_workers_inference": 0,
    "env.per_gpu_batch_size": 64,
    "env.batch_size": 64,
    "optim.lr": 1e-3,
    "optim.val_check_interval": 1.0,
    "optim.top_k": 1,
}
_TABULAR: dict[str, Any] = {
    "model.categorical_mlp.dropout": 0.2,
    "model.numerical_mlp.dropout": 0.2,
}


@dataclass(frozen=True)
class Rows:
    """To learn from, and to choose the best epoch by; no family is in both."""

    learning: pandas.DataFrame
    validation: pandas.DataFrame


def _draw(emoji: Emoji, folder: Path) -> str:
    """Its picture on white as a file, for AutoGluon drops transparency; the path."""
    path = folder / f"{emoji.code}.png"
    picture = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    glyph = draw_small(emoji.text, SIDE)
    picture.paste(glyph, mask=glyph)
    picture.save(path)
    return str(path)


def make_rows(emoji: list[Emoji], folder: Path) -> pandas.DataFrame:
    """The training table: inputs, label and path of the picture. Categories are text, missing ones null."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = read_properties()
    rows = [describe_emoji(one, properties) | {IMAGE: _draw(one, folder)} for one in emoji]
    frame = pandas.DataFrame(rows)[[*NUMERICAL, *CATEGORICAL, LABEL, IMAGE]]
    frame[list(NUMERICAL)] = frame[list(NUMERICAL)].apply(pandas.to_numeric)
    return frame.replace("", None)


def save_backbone(embedder: Path, folder: Path) -> Path:
    """The embedder's image tower as the local timm folder that AutoGluon starts from."""
    folder.mkdir(parents=True, exist_ok=True)
    state = torch.load(embedder / "open_clip_model.pt", weights_only=True)
    trunk = {name.removeprefix(_TRUNK): value for name, value in state.items() if name.startswith(_TRUNK)}
    torch.save(trunk, folder / "pytorch_model.bin")
    config = {
        "architecture": backbone.ARCHITECTURE,
        "num_features": backbone.FEATURES,
        "pretrained_cfg": backbone.PRETRAINED_CFG | {"architecture": backbone.ARCHITECTURE},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder


def _with_image(timm_folder: Path) -> dict[str, Any]:
    return _TABULAR | {
        "model.names": ["timm_image", "categorical_mlp", "numerical_mlp", "fusion_mlp"],
        "model.timm_image.checkpoint_name": str(timm_folder),
        "model.timm_image.max_image_num_per_column": 2,
        "model.timm_image.train_transforms": ["resize_to_square", "affine", "color_jitter"],
        "model.timm_image.val_transforms": ["resize_to_square"],
    }


def _without_image() -> dict[str, Any]:
    return _TABULAR | {"model.names": ["categorical_mlp", "numerical_mlp", "fusion_mlp"]}


def train(name: str, rows: Rows, hyperparameters: dict[str, Any], folder: Path) -> None:
    shutil.rmtree(folder / name, ignore_errors=True)
    columns = dict.fromkeys(NUMERICAL, "numerical") | dict.fromkeys(CATEGORICAL, "categorical")
    if IMAGE in rows.learning:
        columns[IMAGE] = "image_path"
    predictor = MultiModalPredictor(label=LABEL, problem_type="multiclass", path=str(folder / name), verbosity=1)
    predictor.fit(
        rows.learning,
        tuning_data=rows.validation,
        hyperparameters=_COMMON | hyperparameters | {"optim.max_epochs": EPOCHS[name]},
        column_types=columns,
        seed=SEED,
    )


def main(embedder: Path, folder: Path) -> None:
    logging.basicConfig(level=logging.WARNING)
    training, _ = divide(read_emoji())
    parts = divide_training([emoji for emoji in training if not emoji.toned])
    learning, validation = (make_rows(part, folder / "images") for part in parts)
    learning.to_parquet(folder / ROWS)
    timm_folder = save_backbone(embedder, folder / "backbone")
    train(WITH_IMAGE, Rows(learning, validation), _with_image(timm_folder), folder)
    plain = Rows(learning.drop(columns=IMAGE), validation.drop(columns=IMAGE))
    train(WITHOUT_IMAGE, plain, _without_image(), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
