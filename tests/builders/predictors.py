"""A bundle of the kind `autogluon` whose predictor is a file of text, and what answers in AutoGluon's place."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.folders import open_folder
from pixlake.bundles.predictors import PredictorManifest
from pixlake.inference.predictor import Cell, Predictor
from tests.builders.tiny import BundleLake

LABELS = ["cat", "dog"]
COLUMNS = [{"name": "Age", "type": "number"}, {"name": "Tame", "type": "boolean"}, {"name": "Home", "type": "text"}]
IMAGES = {"column": "Photo", "max_images": 2, "missing": "zero"}


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of plain files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def put_predictor(lake: BundleLake, name: str = "pets", data: bytes | None = None, **changes: Any) -> str:
    """Write such a bundle and return `name@version`."""
    manifest = {
        "kind": "autogluon",
        "archive": "predictor.tar",
        "problem": "binary",
        "labels": LABELS,
        "columns": COLUMNS,
        "images": IMAGES,
    }
    data = tar({"assets.json": b"{}"}) if data is None else data
    return lake.bundle(name, {"predictor.tar": data}, **{**manifest, **changes})


class Told:
    """Answers what it was told, and keeps what it was asked."""

    def __init__(self, values: Sequence[Sequence[float]] | None = None) -> None:
        self.values = values
        self.asked: list[dict[str, list[Cell]]] = []

    def answer(self, table: Mapping[str, Sequence[Cell]]) -> NDArray[np.float64]:
        self.asked.append({name: list(cells) for name, cells in table.items()})
        count = len(next(iter(table.values())))
        return np.array([[0.25, 0.75]] * count if self.values is None else self.values, dtype=np.float64)

    def predictor(self, lake: BundleLake, model: str, scratch: Path) -> Predictor:
        """With the bundle's description."""
        described = open_folder(lake.uri, model).description
        assert isinstance(described, PredictorManifest)
        return Predictor(model, described, self, scratch)
