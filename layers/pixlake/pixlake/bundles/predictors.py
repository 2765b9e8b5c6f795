"""`bundle.json` of the kind `autogluon`: a MultiModalPredictor as AutoGluon saved it, which only AutoGluon can run.

Its one file is a tar of the predictor's folder, and holds pickles: loading it runs its maker's code. So only the
AutoGluon container opens it, and only from the lake's `models/`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pixlake.bundles.manifest import Count, Digest, FileName

KIND: Literal["autogluon"] = "autogluon"
Form = Literal["path", "bytes"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As in `manifest`: immutable, unknown fields refused."""


class PredictorColumn(_Part, frozen=True):
    """A column of the table that the predictor was trained on.

    `type` is the type of its cells: AutoGluon tells categories apart by value, and `3.0` is not `"3"`.
    """

    name: Annotated[str, Meta(min_length=1)]
    type: Literal["number", "text", "boolean"]


class PredictorImages(_Part, frozen=True):
    """The column of images: files by `path`, or their content as `bytes`, the first `max_images` of a record."""

    column: Annotated[str, Meta(min_length=1)]
    form: Form = "path"
    max_images: Count = 1
    missing: Literal["zero", "refuse"] = "refuse"


class PredictorManifest(_Part, frozen=True):
    """One predictor. `archive` is the tar."""

    format: Literal[1]
    name: str
    kind: Literal["autogluon"]
    archive: FileName
    files: dict[FileName, Digest]
    source: dict[str, str]
    problem: Literal["binary", "multiclass", "regression"]
    labels: tuple[str, ...] = ()
    columns: tuple[PredictorColumn, ...] = ()
    images: PredictorImages | None = None
    metrics: dict[str, Any] = {}

    @property
    def needs_image(self) -> bool:
        """Whether it cannot answer without an image."""
        return self.images is not None and (not self.columns or self.images.missing == "refuse")
