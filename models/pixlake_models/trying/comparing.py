"""The models tried one after another on the same images, and what is said of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixlake.bundles.folders import BundleFolder
from pixlake.errors import BadRequest
from pixlake.settings import Device
from pixlake_models.trying.material import FEWEST, Material
from pixlake_models.trying.measuring import Measured, measure
from pixlake_models.trying.neighbours import Agreement, agree
from pixlake_models.trying.prices import million_images

_HEAD = ("model", "dimensions", "images/s", "of a core", "memory MB", "$ a million", "recall@1", "recall@5", "accuracy")


@dataclass(frozen=True)
class Tried:
    """A model, what it took, and its unit vectors of the images that all models could use."""

    model: str
    measured: Measured
    vectors: NDArray[np.float32]
    agreement: Agreement | None

    @property
    def dollars(self) -> float | None:
        """A million images' on Lambda, which has no GPU."""
        return self.measured.core_rate and million_images(self.measured.core_rate)

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        found = self.agreement
        return {
            "model": self.model,
            "dimensions": self.measured.dimensions,
            "images_per_second": round(self.measured.rate, 2),
            "images_per_core_second": self.measured.core_rate and round(self.measured.core_rate, 2),
            "load_seconds": round(self.measured.load, 2),
            "peak_memory_mb": round(self.measured.memory / 1e6),
            "dollars_per_million_images": self.dollars and round(self.dollars, 2),
            "recall_1": found and round(found.recall_1, 4),
            "recall_5": found and round(found.recall_5, 4),
            "accuracy": found and round(found.accuracy, 4),
        }


@dataclass(frozen=True)
class Comparison:
    """The models, and the images that all of them could use."""

    tried: Sequence[Tried]
    paths: Sequence[str]
    uris: Sequence[str]
    labels: Sequence[str | None]
    column: str | None
    total: int
    broken: int

    @property
    def agreement(self) -> Agreement | None:
        return self.tried[0].agreement

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        found = self.agreement
        return {
            "images": len(self.paths),
            "images_of_upload": self.total,
            "broken": self.broken,
            "label_column": self.column,
            "labelled": found.images if found else 0,
            "most_frequent_label": found and round(found.frequent, 4),
            "models": [each.describe() for each in self.tried],
        }

    def remark(self) -> str:
        """What the figures are of."""
        of = f"of {self.total:,} images, evenly spread; " if self.total > len(self.paths) + self.broken else "images; "
        lost = f"{self.broken:,} cannot be decoded; " if self.broken else ""
        found = self.agreement
        if found is None:
            labels = "no labels, so no recall: --label names a column"
        else:
            labels = (
                f"{found.images:,} have a label in {self.column!r} that another has, too; "
                f"always the most frequent one would be right for {found.frequent:.2f}"
            )
        return f"{len(self.paths):,} {of}{lost}{labels}"


def compare(
    folders: Sequence[BundleFolder], material: Material, tell: Callable[[str], None], device: Device = Device.CPU
) -> Comparison:
    """BadRequest for too few images that all models can use; the errors of `measure`."""
    measured = []
    for folder in folders:
        tell(folder.model)
        measured.append(measure(folder, material.uris, device))
    usable = np.logical_and.reduce([np.isfinite(each.vectors).all(axis=1) for each in measured])
    kept = np.flatnonzero(usable).tolist()
    if len(kept) < FEWEST:
        raise BadRequest(f"only {len(kept)} of {len(usable)} images can be used by all models; give {FEWEST} or more")
    labels = [material.labels[place] for place in kept]
    tried = [
        Tried(folder.model, each, each.vectors[kept], agree(each.vectors[kept], labels))
        for folder, each in zip(folders, measured, strict=True)
    ]
    paths, uris = ([column[place] for place in kept] for column in (material.paths, material.uris))
    broken = len(usable) - len(kept)
    return Comparison(tried, paths, uris, labels, material.column, material.total, broken)


def format_cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """A head, and a row for each model."""
    return [_HEAD, *(_cells(each) for each in comparison.tried)]


def format_table(comparison: Comparison) -> str:
    """Columns of one width, numbers at their right."""
    rows = format_cells(comparison)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_format_row(row, widths) for row in rows)


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]).rstrip()


def _cells(tried: Tried) -> tuple[str, ...]:
    found, measured = tried.agreement, tried.measured
    shares = (found.recall_1, found.recall_5, found.accuracy) if found else (None, None, None)
    return (
        tried.model,
        str(measured.dimensions),
        f"{measured.rate:.1f}",
        f"{measured.core_rate:.1f}" if measured.core_rate else "-",
        f"{measured.memory / 1e6:,.0f}",
        f"{tried.dollars:.2f}" if tried.dollars else "-",
        *("-" if share is None else f"{share:.2f}" for share in shares),
    )
