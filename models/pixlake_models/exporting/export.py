"""From a model of another library to a bundle that is proved before it is written; what all exporters share.

An exporter makes a Candidate: files, their description, and a comparison with the model. `prove_and_write` loads it
as the containers do, measures, and writes it with its figures, or refuses. A model that is sensitive to JPEGs decoded
smaller is written so that it gets whole ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import ImageInput, Input, Manifest
from pixlake.errors import NotEqual
from pixlake_models.exporting.figures import Figure, format_table, record
from pixlake_models.exporting.writing import check_target, trial_bundle, write_bundle

Measure = Callable[[BundleFolder], Sequence[Figure]]
SMALLER = "jpegs_decoded_smaller"
"""The group, in a bundle that decodes JPEGs whole, of the figures that failed with JPEGs decoded smaller."""


@dataclass(frozen=True)
class Request:
    """The model to export, as the command names it; `name` is its name in its library. `answer` chooses where a model
    can answer in two ways; `labels` is a file with its classes' names, `licence` the weights' as the user says."""

    name: str
    pretrained: str | None = None
    answer: Literal["features", "classes"] | None = None
    labels: Path | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A bundle that is not proved yet. `measure` compares it, loaded from its folder, with the model itself, from image
    files on, read by the folder's manifest. The name in `manifest` is filled in when it is written, and so are `files`
    and the figures. `notes` are for the user."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    measure: Measure = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Export:
    """A bundle that was written, its figures, and notes for the user."""

    version: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """A table of the figures, and a line for each note."""
        return "\n".join([format_table(self.figures), *self.notes])


def prove_and_write(candidate: Candidate, target: Path) -> Export:
    """Write the bundle into the folder `target`, whose name becomes its name.

    Raises NotEqual, with `target` untouched, if a figure is outside of its bounds; BadRequest if `target` is a folder
    with anything but a bundle.
    """
    check_target(target)
    candidate, figures = prove(candidate, target.name)
    metrics = candidate.manifest.metrics | record(figures)
    proved = msgspec.structs.replace(candidate.manifest, name=target.name, metrics=metrics)
    return Export(write_bundle(target, proved, candidate.files), figures, candidate.notes)


def prove(candidate: Candidate, name: str, state: str = "") -> tuple[Candidate, tuple[Figure, ...]]:
    """The candidate, or if it fails only by JPEGs decoded smaller, one that decodes them whole; and its figures.
    NotEqual, about the model `name` in its `state`, if one is outside of its bounds."""
    figures = _measure(candidate, name)
    failed = _find_failed(figures)
    if failed and all(each.holds_spared for each in failed):
        candidate = _decode_whole(candidate, failed)
        figures = _measure(candidate, name)
        failed = _find_failed(figures)
    if failed:
        raise NotEqual(f"{name}{state}: the bundle answers otherwise than the model: {_complain(failed)}")
    return candidate, figures


def _measure(candidate: Candidate, name: str) -> tuple[Figure, ...]:
    with trial_bundle(msgspec.structs.replace(candidate.manifest, name=name), candidate.files) as folder:
        return tuple(candidate.measure(folder))


def _find_failed(figures: Sequence[Figure]) -> list[Figure]:
    return [each for each in figures if not each.holds]


def _complain(failed: Sequence[Figure]) -> str:
    return "; ".join(f"{each.name} is {each.value:.6g}, not {each.bound}" for each in failed)


def _decode_whole(candidate: Candidate, failed: Sequence[Figure]) -> Candidate:
    """The candidate with whole JPEGs; the figures that `failed` with smaller ones are kept in the bundle, and noted."""
    kept = [Figure(each.name, each.value, group=SMALLER) for each in failed]
    manifest = msgspec.structs.replace(
        candidate.manifest,
        inputs=tuple(_read_whole(each) for each in candidate.manifest.inputs),
        metrics=candidate.manifest.metrics | record(kept),
    )
    note = f"JPEGs are decoded whole: when they are decoded smaller, {_complain(failed)}"
    return replace(candidate, manifest=manifest, notes=(*candidate.notes, note))


def _read_whole(declared: Input) -> Input:
    if not isinstance(declared, ImageInput):
        return declared
    return msgspec.structs.replace(
        declared, preprocessing=msgspec.structs.replace(declared.preprocessing, pixels="whole")
    )
