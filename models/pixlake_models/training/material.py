"""The records of a training, by its options; their faults are found before torch is loaded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pixlake.errors import BadTable
from pixlake.messages import Options
from pixlake.rejects import Reject
from pixlake_models.training.columns import Columns, Wishes, choose_columns
from pixlake_models.training.parts import LEAST_ROWS, Parts, Problem, divide
from pixlake_models.training.records import Records, select_records
from pixlake_models.training.upload import read_upload

_SHOWN = 3


@dataclass(frozen=True)
class Request:
    """The training to prepare. `pictures` is false for a model of the table alone."""

    upload: Path
    options: Options
    wishes: Wishes = field(default_factory=Wishes)
    problem: Problem | None = None
    holdout: float = 0.2
    seed: int = 0
    pictures: bool = True


@dataclass(frozen=True)
class Material:
    """Records, the kinds of their columns, and their split."""

    records: Records
    columns: Columns
    parts: Parts
    id_column: str | None
    rejects: tuple[Reject, ...]

    @property
    def illustrated(self) -> int:
        """The records with an image."""
        return sum(bool(images) for images in self.records.images)

    def remarks(self) -> Iterator[str]:
        """Lines for the user on records, columns and guesses."""
        records, parts = self.records, self.parts
        yield f"{len(records.ids):,} records with the label {records.label!r}, {self.illustrated:,} of them with images"
        if records.unlabelled:
            yield f"left out: {records.unlabelled:,} records without a label"
        if parts.left_out:
            listed = ", ".join(f"{label!r} ({count})" for label, count in sorted(parts.left_out.items()))
            yield f"left out: labels with too few records to learn and to evaluate: {listed}"
        if self.rejects:
            first = "; ".join(f"{each.source}: {each.detail}" for each in self.rejects[:_SHOWN])
            yield f"left out: {len(self.rejects):,} bad rows or images, as in a run: {first}"
        for kind, names in (("numbers", self.columns.numerical), ("categories", self.columns.categorical)):
            yield f"{kind}: {', '.join(names) or 'none'}"
        if self.columns.text:
            yield f"text: {', '.join(self.columns.text)}"
        for name, why in self.columns.left_out.items():
            yield f"not learned from: {name} ({why})"
        sizes = ", ".join(f"{len(rows):,}" for rows in (parts.learning, parts.validation, parts.heldout))
        yield f"{parts.problem}; records to learn from, to choose the best epoch by, held out: {sizes}"


def gather(request: Request, work: Path) -> Material:
    """Read the upload into `work` and split its records. BadTable where a model cannot learn from them."""
    upload = read_upload(request.upload, request.options, work)
    records = select_records(upload)
    parts = divide(records.labels, request.problem, request.holdout, request.seed)
    columns = choose_columns(records.table.iloc[parts.learning], request.wishes)
    found = Material(records, columns, parts, upload.join.id_column, upload.left_out)
    if request.pictures:
        _check_pictures(found, upload.join.image_column)
    if not request.pictures and not list(columns):
        why = "; ".join(f"{name}: {reason}" for name, reason in columns.left_out.items())
        raise BadTable(f"no column is left to learn from: {why}")
    return found


def _check_pictures(found: Material, image_column: str | None) -> None:
    """BadTable where too few records have images for a model that takes them."""
    if found.illustrated >= LEAST_ROWS:
        return
    by = f"named by the column {image_column!r}" if image_column else f"named like the ids in {found.id_column!r}"
    first = next((each.detail for each in found.rejects if each.reason == "image_not_found"), "")
    raise BadTable(
        f"only {found.illustrated} labelled records have an image ({by}); {LEAST_ROWS} are needed. "
        + (f"{first}. " if first else "")
        + "Name the columns with --id-column or --image-column, or train on the table alone with --table-only"
    )
