"""From a model of another library to a bundle that is proved before it is written; what all exporters share.

An exporter makes a Candidate: files, what they are, and how to compare them with the model. `prove_and_write` loads it
as the containers do, measures, and writes it with its figures, or refuses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from pixlake.inference.folders import BundleFolder
from pixlake.inference.manifest import Manifest
from pixlake_models.bundles import check_target, trial_bundle, write_bundle
from pixlake_models.errors import NotEqual
from pixlake_models.figures import Figure, record

Measure = Callable[[BundleFolder], Sequence[Figure]]


@dataclass(frozen=True)
class Request:
    """What is to be exported, as the command has it; `name` is the model's in its library. Where a model can answer in
    two ways, `answer` chooses; `labels` is a file with the names of its classes."""

    name: str
    pretrained: str | None = None
    answer: Literal["features", "classes"] | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Candidate:
    """A bundle that nothing is proved of yet. `measure` compares it, loaded from its folder, with the model itself,
    from image files on. The name in `manifest` is filled in when it is written, and so are `files` and the figures."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    measure: Measure = field(repr=False)


@dataclass(frozen=True)
class Export:
    """A bundle that was written, and what was measured before."""

    version: str
    figures: tuple[Figure, ...]


def prove_and_write(candidate: Candidate, target: Path) -> Export:
    """Write the bundle into the folder `target`, whose name becomes its name.

    Raises NotEqual, with `target` untouched, if a figure is outside of its bounds; BadRequest if `target` is a folder
    with anything but a bundle.
    """
    check_target(target)
    manifest = msgspec.structs.replace(candidate.manifest, name=target.name)
    with trial_bundle(manifest, candidate.files) as folder:
        figures = tuple(candidate.measure(folder))
    check_figures(target.name, figures)
    proved = msgspec.structs.replace(manifest, metrics=manifest.metrics | record(figures))
    return Export(write_bundle(target, proved, candidate.files), figures)


def check_figures(name: str, figures: Sequence[Figure]) -> None:
    """NotEqual if one is outside of its bounds."""
    if failed := [each for each in figures if not each.holds]:
        raise NotEqual(f"{name}: the bundle answers otherwise than the model: {_complain(failed)}")


def _complain(failed: Sequence[Figure]) -> str:
    return "; ".join(f"{each.name} is {each.value:.6g}, not {each.bound}" for each in failed)
