"""Make the demo's three bundles of the trained models, with the code of `pixlake models export` and `train`.

`python -m demo.assembly WORK BUNDLES SAMPLE`; SAMPLE is the upload that the models are evaluated on.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import torch
from autogluon.multimodal import MultiModalPredictor
from open_clip.model import CLIP
from tokenizers import Tokenizer

from demo import backbone
from demo.captions import LENGTH, pad_token
from demo.evaluate import read_sample, search_figures
from demo.train_classifiers import WITH_IMAGE, WITHOUT_IMAGE, gather, prepare_network
from pixlake.bundles.manifest import Preprocessing
from pixlake.inference.loaded import load_embedder
from pixlake_models.clip.export import ClipSource, export_clip
from pixlake_models.exporting.channels import WHITE
from pixlake_models.silence import silenced
from pixlake_models.training.pair import Trained
from pixlake_models.training.results import Entrant, publish

log = logging.getLogger(__name__)
EMBEDDER = "emoji-clip"
SOURCE = {
    "licence": "Apache-2.0",
    "pictures": "Noto Color Emoji 2.042, SIL OFL 1.1",
    "words": "Unicode 15.0 and CLDR 41, Unicode-DFS-2016",
    "rebuild": "make demo-models",
}


def export_embedder(folder: Path, target: Path, sample: Path) -> str:
    """Export the embedder, evaluated on the sample through its bundle, which then holds the figures."""
    clip = _load_clip(folder)
    with tempfile.TemporaryDirectory() as lake:
        export_clip(clip, Path(lake) / "models" / target.name, {})
        figures = search_figures(load_embedder(f"file://{lake}", target.name), read_sample(sample))
    return export_clip(clip, target, figures)


def _load_clip(folder: Path) -> ClipSource:
    model = CLIP(**json.loads((folder / "open_clip_config.json").read_text()))
    model.load_state_dict(torch.load(folder / "open_clip_model.pt", weights_only=True))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return ClipSource(
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


def compile_classifiers(work: Path, bundles: Path, sample: Path) -> dict[str, str]:
    """Compile both, evaluated on the sample; `name@version` by role."""
    folder = work / "classifiers"
    network = prepare_network(work / "embedder", folder / "backbone")
    material = gather(sample, network, folder / "records")
    source = SOURCE | {"origin": "models/demo/train_classifiers.py, trained with AutoGluon"}
    with silenced():
        entrants = [
            Entrant(
                Trained(MultiModalPredictor.load(str(folder / name), verbosity=0), images=name == WITH_IMAGE),
                bundles / name,
                source,
            )
            for name in (WITH_IMAGE, WITHOUT_IMAGE)
        ]
        return publish(entrants, material.examples, material.ids, folder / "evaluation").models


def main(work: Path, bundles: Path, sample: Path) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("%s@%s", EMBEDDER, export_embedder(work / "embedder", bundles / EMBEDDER, sample))
    for model in compile_classifiers(work, bundles, sample).values():
        log.info(model)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
