"""A MultiModalPredictor as a bundle of the kind `autogluon`: as AutoGluon saved it, for models that `compile` refuses.
The tar's content is proved before it is written: loaded as the AutoGluon container loads it, and run on rows.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas
from autogluon.multimodal import MultiModalPredictor

from pixlake.bundles.archives import pack
from pixlake.bundles.manifest import MANIFEST, version
from pixlake.bundles.parsing import encode, parse
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import BadBundle, BadRequest, ModelTimeout
from pixlake.inference.autogluon import settle
from pixlake.inference.limits import call_within
from pixlake.inference.verifying import SECONDS
from pixlake.limited import half_of_the_machine, memory_limited
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.writing import check_target
from pixlake_models.packaging.description import ARCHIVE, describe_predictor
from pixlake_models.packaging.files import CHECKPOINT, gather_files
from pixlake_models.packaging.proof import prove_package


@dataclass(frozen=True)
class Packaged:
    """A bundle that was written, and the difference of its answers from the predictor's."""

    version: str
    figures: list[Figure]


def load_trained(folder: Path) -> MultiModalPredictor:
    """The predictor that was trained into `folder`; BadRequest if it is none. Runs its pickles."""
    if not (folder / "assets.json").is_file() or not (folder / CHECKPOINT).is_file():
        raise BadRequest(f"{folder}: no MultiModalPredictor was saved here, for it has no assets.json or {CHECKPOINT}")
    predictor = MultiModalPredictor.load(str(folder), verbosity=0)
    settle(predictor)
    return predictor


def package_predictor(
    predictor: MultiModalPredictor,
    rows: pandas.DataFrame,
    target: Path,
    *,
    memory: int | None = None,
    seconds: float = SECONDS,
) -> Packaged:
    """Write the bundle named like `target`, proved on `rows`, a table like that of the training.

    Raises NotServable for a model that the pipeline cannot use, NotEqual for one whose answers from the tar differ,
    BadRequest for rows that lack a column or a target that is in use, ModelTimeout where the proof takes more than
    `seconds`, and BadBundle where it needs more than `memory` bytes, by default half of the machine's.
    """
    check_target(target)
    manifest = describe_predictor(predictor, target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        pack(gather_files(Path(predictor.path), Path(scratch)), folder / ARCHIVE)
        manifest = msgspec.structs.replace(manifest, files={ARCHIVE: _digest(folder / ARCHIVE)})
        _write_manifest(folder, manifest)
        limits = (memory or half_of_the_machine(), seconds)
        figures = _prove(target, lambda: prove_package(predictor, folder, rows, Path(scratch)), *limits)
        metrics = {each.name: float(f"{each.value:.2g}") for each in figures}
        data = _write_manifest(folder, msgspec.structs.replace(manifest, metrics=metrics))
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    return Packaged(version(data), figures)


def _prove(target: Path, prove: Callable[[], list[Figure]], memory: int, seconds: float) -> list[Figure]:
    """Within limits as a trial has them: a predictor is a program. The process that packages has no other work."""
    try:
        with memory_limited(memory):
            return call_within(seconds, prove, lambda: None)
    except ModelTimeout as error:
        raise ModelTimeout(
            str(error) or f"{target}: its proof takes more than {seconds:g} s; give it longer"
        ) from error
    except MemoryError as error:
        raise BadBundle(f"{target}: its proof needs more than {memory >> 20:,} MB; give it more memory") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(folder: Path, manifest: PredictorManifest) -> bytes:
    data = encode(manifest)
    parse(data, str(folder / MANIFEST))
    (folder / MANIFEST).write_bytes(data)
    return data
