"""A packaged MultiModalPredictor, run by AutoGluon: in the AutoGluon container, and where a package is proved.

AutoGluon takes a quarter of a minute to import, longer than Lambda gives a function to start, so it is imported by the
first request; and it starts processes to read a batch, which have no shared memory there, so that is switched off.
"""

import functools
import logging
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.folders import BundleFolder, open_folder
from pixlake.bundles.predictors import PredictorManifest
from pixlake.cores import available_cores
from pixlake.errors import BadBundle
from pixlake.inference.memory import memory_of
from pixlake.inference.predictor import Cell, Predictor, unpack_predictor
from pixlake.limited import limit_memory
from pixlake.settings import InferenceSettings

CONFIG = "config.yaml"
HERE = "bundle://"
"""Stands in a packaged config for the folder that it lies in."""
# one for records with images, one for those without
_KEPT = 2


def load_predictor(scratch: str, settings: InferenceSettings, lake_uri: str, model: str) -> Predictor:
    """The bundle `model` of a lake, ready to answer; images are put into `scratch`.

    Unpickles, and so runs, what the bundle's maker wrote; from then on the process has no more memory than the settings
    say. Raises BadBundle if it is missing, damaged, of another version or kind, or AutoGluon does not load it.
    """
    limit_memory(memory_of(settings))
    manifest, fitted = _load(lake_uri, model, settings.inference_threads)
    return Predictor(model, manifest, fitted, Path(scratch), settings.max_model_seconds)


def read_predictor(folder: BundleFolder, threads: int = 0) -> tuple[PredictorManifest, "MultiModal"]:
    """What is in a bundle's tar, loaded; BadBundle as in `load_predictor`."""
    with TemporaryDirectory() as target:
        manifest = unpack_predictor(folder, Path(target))
        return manifest, MultiModal(Path(target), manifest, threads)


@functools.lru_cache(maxsize=_KEPT)
def _load(lake_uri: str, model: str, threads: int) -> tuple[PredictorManifest, "MultiModal"]:
    """`model` is `name@version`, which says its content, so what is kept can't be stale."""
    return read_predictor(open_folder(lake_uri, model), threads)


class MultiModal:
    """The predictor in `folder`, which need not stay, on the processor's cores."""

    def __init__(self, folder: Path, manifest: PredictorManifest, threads: int) -> None:
        import torch
        from autogluon.multimodal import MultiModalPredictor
        from PIL import ImageFile

        # AutoGluon's import has Pillow fill up truncated images with grey, which are to be rejects
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        torch.set_num_threads(threads or available_cores())
        config = folder / CONFIG
        config.write_text(config.read_text().replace(HERE, f"{folder}/"))
        try:
            self._predictor = MultiModalPredictor.load(str(folder), verbosity=0)
        except Exception as error:
            raise BadBundle(f"{manifest.name}: AutoGluon does not load it: {type(error).__name__}: {error}") from error
        self._problem = manifest.problem
        self._numbers = {column.name for column in manifest.columns if column.type == "number"}
        settle(self._predictor)

    def answer(self, table: Mapping[str, Sequence[Cell]]) -> NDArray[np.float64]:
        """Float64 `[n, labels]`, the probabilities of each row, or `[n, 1]`, its value; BadBundle where it fails."""
        ask = self._predictor.predict if self._problem == "regression" else self._predictor.predict_proba
        try:
            values = np.asarray(ask(make_frame(table, self._numbers), as_pandas=False), dtype=np.float64)
        except Exception as error:  # AutoGluon and what it runs on have no common error
            raise BadBundle(f"AutoGluon fails on a batch: {type(error).__name__}: {error}") from error
        return values.reshape(-1, 1) if self._problem == "regression" else values


def make_frame(table: Mapping[str, Sequence[Cell]], numbers: Set[str]) -> Any:
    """A DataFrame of the types that training had: numbers as float64, all else as it is."""
    import pandas

    types = {name: "float64" if name in numbers else "object" for name in table}
    return pandas.DataFrame({name: pandas.Series(cells, dtype=types[name]) for name, cells in table.items()})


def settle(predictor: Any) -> None:
    """Have it predict on the processor, in this process, and quietly, wherever it was trained."""
    learner = predictor._learner
    learner._config.env.num_gpus = 0
    learner._config.env.accelerator = "cpu"
    learner._config.env.num_workers_inference = 0
    learner._enable_progress_bar = False
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
