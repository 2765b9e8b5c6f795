"""Train the demo's record classifiers, with the code of `pixlake models train`, on emoji that the sample does not have.

`python -m demo.train_classifiers EMBEDDER FOLDER SAMPLE`: EMBEDDER is the folder of `demo.train_embedder`; the network
with images starts from its image tower. Writes AutoGluon's folders `emoji-group` and `emoji-group-table`. Unlike the
command's, the held-out records are the sample, and no family of emoji is in two parts.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch
from PIL import Image

from demo import backbone
from demo.families import divide, divide_training
from demo.glyphs import draw_small
from demo.table import CATEGORICAL, LABEL, NUMERICAL, describe_emoji
from demo.unicode import Emoji, read_emoji, read_properties
from pixlake.messages import Options
from pixlake_models.silence import silenced
from pixlake_models.training.backbones import Backbone, prepare_backbone
from pixlake_models.training.columns import Columns
from pixlake_models.training.pair import Examples, make_examples, train_one
from pixlake_models.training.parts import Parts
from pixlake_models.training.pictures import Original, prepare_pictures
from pixlake_models.training.records import Records, select_records
from pixlake_models.training.train import Recipe
from pixlake_models.training.upload import read_upload

SIDE = 72
WITH_IMAGE, WITHOUT_IMAGE = "emoji-group", "emoji-group-table"
EPOCHS = {WITH_IMAGE: 12, WITHOUT_IMAGE: 40}
IMAGES, SEED = 2, 0
COLUMNS = Columns(numerical=NUMERICAL, categorical=CATEGORICAL)
_TRUNK = "visual.trunk."


@dataclass(frozen=True)
class Material:
    """The emoji to learn from and those of the sample, as `pixlake models train` has them."""

    examples: Examples
    ids: list[str]


def gather(sample: Path, network: Backbone, folder: Path) -> Material:
    """All rows and pictures; `folder` takes the pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    training, _ = divide(read_emoji())
    learning, validation = divide_training([emoji for emoji in training if not emoji.toned])
    folder.mkdir(parents=True)
    heldout = select_records(read_upload(sample, Options(), folder / "sample"))
    known = _make_records([*learning, *validation], folder / "drawn")
    records = Records(
        label=LABEL,
        ids=[*known.ids, *heldout.ids],
        labels=[*known.labels, *heldout.labels],
        table=pandas.concat([known.table, heldout.table], ignore_index=True, join="inner"),
        images=[*known.images, *heldout.images],
        unlabelled=0,
    )
    rows = np.arange(len(records.ids), dtype=np.int64)
    learned, chosen_by, heldout_rows = np.split(rows, [len(learning), len(known.ids)])
    parts = Parts("multiclass", learned, chosen_by, heldout_rows, left_out={})
    pictures = prepare_pictures(records.images, network.preprocessing, folder / "pictures")
    return Material(make_examples(records, COLUMNS, pictures.files, parts), list(records.ids))


def _make_records(emoji: list[Emoji], folder: Path) -> Records:
    """Emoji as records with a picture each."""
    folder.mkdir()
    properties = read_properties()
    rows = pandas.DataFrame([describe_emoji(one, properties) for one in emoji])
    return Records(
        label=LABEL,
        ids=[one.code for one in emoji],
        labels=rows[LABEL].tolist(),
        table=rows.drop(columns=LABEL).replace("", None),
        images=[[_draw(one, folder)] for one in emoji],
        unlabelled=0,
    )


def _draw(emoji: Emoji, folder: Path) -> Original:
    """Its picture on white."""
    path = folder / f"{emoji.code}.png"
    picture = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    glyph = draw_small(emoji.text, SIDE)
    picture.paste(glyph, mask=glyph)
    picture.save(path)
    return Original(path.name, f"file://{path.resolve()}")


def prepare_network(embedder: Path, folder: Path) -> Backbone:
    """The embedder's image tower as the start of training."""
    shutil.rmtree(folder, ignore_errors=True)
    tower = folder / "tower"
    tower.mkdir(parents=True)
    state = torch.load(embedder / "open_clip_model.pt", weights_only=True)
    trunk = {name.removeprefix(_TRUNK): value for name, value in state.items() if name.startswith(_TRUNK)}
    torch.save(trunk, tower / "pytorch_model.bin")
    config = {"architecture": backbone.ARCHITECTURE, "pretrained_cfg": backbone.PRETRAINED_CFG}
    (tower / "config.json").write_text(json.dumps(config))
    return prepare_backbone(f"{tower}/", folder / "ready", trained=True, side=None, seed=SEED)


def main(embedder: Path, folder: Path, sample: Path) -> None:
    network = prepare_network(embedder, folder / "backbone")
    examples = gather(sample, network, folder / "records").examples
    for name in (WITH_IMAGE, WITHOUT_IMAGE):
        shutil.rmtree(folder / name, ignore_errors=True)
        recipe = Recipe(EPOCHS[name], SEED, backbone=network, images=IMAGES)
        with silenced():
            train_one(examples, recipe, folder / name, images=name == WITH_IMAGE)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
