"""Loaded models, kept while a warm process serves one batch after another.

A model is loaded when first asked for; `name@version` says its content, so what is kept under that name can't be stale.
"""

import threading
from collections import OrderedDict

from pixlake.bundles.folders import BundleFolder, open_folder
from pixlake.errors import BadBundle
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.limits import Limits

# An embedder beside two classifiers, or one large model; others are loaded again rather than kept in memory.
_KEPT = 3
_KEPT_BYTES = 1 << 30

_loaded: OrderedDict[tuple[str, str, int], Embedder | Classifier] = OrderedDict()
_loading = threading.Lock()


def load_bundle(lake_uri: str, model: str, threads: int = 0, limits: Limits | None = None) -> Embedder | Classifier:
    """The bundle `name` or `name@version` of a lake, ready to answer; `threads` 0 means all cores of the process.

    Raises BadBundle if it is missing, damaged, of another version, or no bundle.
    """
    with _loading:
        if (lake_uri, model, threads) not in _loaded:
            folder = open_folder(lake_uri, model)
            model = folder.model
            if (lake_uri, model, threads) not in _loaded:
                _loaded[lake_uri, model, threads] = _load(folder, threads, limits)
        _loaded.move_to_end((lake_uri, model, threads))
        _forget(min(_KEPT_BYTES, limits.memory) if limits else _KEPT_BYTES)
        return _loaded[lake_uri, model, threads]


def load_embedder(lake_uri: str, model: str, threads: int = 0, limits: Limits | None = None) -> Embedder:
    """`load_bundle` where an embedder is wanted; BadBundle for any other kind."""
    bundle = load_bundle(lake_uri, model, threads, limits)
    if not isinstance(bundle, Embedder):
        raise BadBundle(f"{bundle.model} is of the kind {bundle.kind}, where an embedder is needed")
    return bundle


def open_embedder(lake_uri: str, model: str) -> Embedder:
    """An embedder for a question or two, which is not kept: a tower is loaded when first asked for, and soonest ready.

    Raises BadBundle as `load_embedder` does, for a tower that is damaged when it is asked for.
    """
    return Embedder(open_folder(lake_uri, model), fast_start=True)


def load_classifier(lake_uri: str, model: str, threads: int = 0, limits: Limits | None = None) -> Classifier:
    """`load_bundle` where a classifier is wanted; BadBundle for an embedder."""
    bundle = load_bundle(lake_uri, model, threads, limits)
    if not isinstance(bundle, Classifier):
        raise BadBundle(f"{bundle.model} is an embedder, where a classifier is needed")
    return bundle


def loaded_bytes() -> int:
    """Of all graphs that this process has."""
    with _loading:
        return sum(each.size for each in _loaded.values())


def _load(folder: BundleFolder, threads: int, limits: Limits | None) -> Embedder | Classifier:
    """Ready to answer, but for a text tower: whoever embeds images need not fetch it."""
    if folder.manifest.kind != "embedder":
        return Classifier(folder, threads, limits)
    embedder = Embedder(folder, threads, limits=limits)
    embedder.load_images()
    return embedder


def _forget(most: int) -> None:
    """Let go of the models that were used longest ago, above `most` bytes; the latest stays, whatever its size."""
    while len(_loaded) > _KEPT or (len(_loaded) > 1 and sum(each.size for each in _loaded.values()) > most):
        _loaded.popitem(last=False)
