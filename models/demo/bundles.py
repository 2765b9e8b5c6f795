"""Make the demo's three bundles of what was trained: `python -m demo.bundles WORK BUNDLES`."""

import json
import logging
import sys
from pathlib import Path

import pandas
import torch
from autogluon.multimodal import MultiModalPredictor
from open_clip.model import CLIP
from tokenizers import Tokenizer

from demo import backbone
from demo.captions import LENGTH, pad_token
from demo.train_classifiers import IMAGE, ROWS, WITH_IMAGE, WITHOUT_IMAGE
from pixlake.inference.manifest import Preprocessing
from pixlake_models.compile_autogluon import AutoGluonSource, compile_autogluon
from pixlake_models.export_clip import ClipSource, export_clip

log = logging.getLogger(__name__)
EMBEDDER = "emoji-clip"
PROOF_ROWS = 200
SOURCE = {
    "licence": "Apache-2.0",
    "pictures": "Noto Color Emoji 2.042, SIL OFL 1.1",
    "words": "Unicode 15.0 and CLDR 41, Unicode-DFS-2016",
    "rebuild": "make demo-models",
}
WHITE = (255, 255, 255)


def export_embedder(folder: Path, target: Path) -> str:
    model = CLIP(**json.loads((folder / "open_clip_config.json").read_text()))
    model.load_state_dict(torch.load(folder / "open_clip_model.pt", weights_only=True))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    clip = ClipSource(
        model=model,
        tokenizer=tokenizer,
        preprocessing=Preprocessing(
            width=backbone.SIDE,
            height=backbone.SIDE,
            resize="squash",
            interpolation="bicubic",
            background=WHITE,
            mean=backbone.MEAN,
            std=backbone.STD,
        ),
        pad=pad_token(tokenizer),
        length=LENGTH,
        source=SOURCE | {"origin": "models/demo/train_embedder.py, trained with open_clip"},
        texts=["a red heart", "sleepy cat face", "flag", "ⓤⓝⓚⓝⓞⓦⓝ 文字", "word " * 50],
    )
    return export_clip(clip, target, {})


def compile_classifier(folder: Path, name: str, target: Path) -> str:
    rows = pandas.read_parquet(folder / ROWS)
    if name == WITHOUT_IMAGE:
        rows = rows.drop(columns=IMAGE)
    origin = {"origin": "models/demo/train_classifiers.py, trained with AutoGluon"}
    predictor = MultiModalPredictor.load(str(folder / name), verbosity=0)
    sample = rows.sample(PROOF_ROWS, random_state=0)
    return compile_autogluon(AutoGluonSource(predictor, sample, SOURCE | origin), target, {})


def main(work: Path, bundles: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("%s@%s", EMBEDDER, export_embedder(work / "embedder", bundles / EMBEDDER))
    for name in (WITH_IMAGE, WITHOUT_IMAGE):
        log.info("%s@%s", name, compile_classifier(work / "classifiers", name, bundles / name))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
