"""The files that loading a predictor needs, on any machine: those of its folder, and those that its config names."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import OmegaConf

from pixlake.errors import BadRequest
from pixlake.inference.autogluon import CONFIG, HERE

CHECKPOINT = "model.ckpt"
_BACKBONES = "backbones"
_LEFT_BY_TRAINING = ("events.out.tfevents.*", "hparams.yaml", "*.log")


def gather_files(trained: Path, scratch: Path) -> dict[str, Path]:
    """Each file by its name in the tar. A backbone that was trained from a folder, which AutoGluon names by its path,
    is included; the config with its new path is written to `scratch`."""
    files = dict(_files(trained))
    config = OmegaConf.load(trained / CONFIG)
    for name in config.model.names:
        backbone = config.model[name].get("checkpoint_name")
        if backbone and Path(backbone).is_dir():
            place = f"{_BACKBONES}/{name}"
            files |= {f"{place}/{inside}": path for inside, path in _files(Path(backbone))}
            config.model[name].checkpoint_name = f"{HERE}{place}"
    OmegaConf.save(config, scratch / CONFIG)
    return files | {CONFIG: scratch / CONFIG}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The folder's files, without training's logs and other checkpoints."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise BadRequest(f"{path}: it is a link; put the file itself there")
        logged = any(path.match(pattern) for pattern in _LEFT_BY_TRAINING)
        other = path.suffix == ".ckpt" and path != folder / CHECKPOINT
        if path.is_file() and not logged and not other:
            yield path.relative_to(folder).as_posix(), path
