"""A MultiModalPredictor's folder. It holds pickles, so loading it runs the code in them."""

import json
from pathlib import Path
from typing import Any

from pixlake.errors import NotServable

ASSETS = "assets.json"
SERVABLE = ("binary", "multiclass", "regression")
_LEARNER = "BaseLearner"


def check_folder(folder: Path) -> None:
    """NotServable if AutoGluon's own description shows that no bundle can hold the model; reads no pickle."""
    if not (folder / ASSETS).is_file():
        tabular = (folder / "predictor.pkl").exists()
        kind = "a TabularPredictor, which has no one network" if tabular else "no MultiModalPredictor"
        raise NotServable(f"{folder}: it is {kind}: there is no {ASSETS}")
    try:
        assets = json.loads((folder / ASSETS).read_bytes())
        problem, learner = assets["problem_type"], assets.get("learner_class", _LEARNER)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotServable(f"{folder / ASSETS}: it is not as AutoGluon writes it: {error!r}") from error
    if problem not in SERVABLE:
        raise NotServable(f"{folder}: a bundle answers {', '.join(SERVABLE)}, not {problem}")
    if learner != _LEARNER:
        raise NotServable(f"{folder}: a bundle holds one network, and this model is a {learner}")


def load_predictor(folder: Path) -> Any:
    """The MultiModalPredictor, on the CPU and without workers; NotServable where AutoGluon cannot load it."""
    check_folder(folder)
    from autogluon.multimodal import MultiModalPredictor

    try:
        predictor = MultiModalPredictor.load(str(folder), verbosity=0)
    except Exception as error:  # unpickling, torch and each network have errors of their own
        raise NotServable(f"{folder}: AutoGluon cannot load it: {type(error).__name__}: {error}") from error
    learner = predictor._learner
    learner._enable_progress_bar = False
    learner._config.env.num_workers_inference = 0
    learner._config.env.num_gpus = 0
    return predictor
