"""What a check has found, for people and for programs."""

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from pixlake.rejects import Reject
from pixlake.report.tallies import group_rejects
from pixlake_cli.checking import Checked, Fixed

_SHOWN = 3  # rejects of a kind


def as_object(checked: Checked) -> dict[str, Any]:
    """For programs. Everything but `refused` is there always, and `fixed` where it was asked for."""
    found: dict[str, Any] = msgspec.to_builtins(checked)
    if checked.fixed is None:
        del found["fixed"]
    elif not checked.fixed.refused:
        del found["fixed"]["refused"]
    if not checked.refused:
        del found["refused"]
    return found


def as_text(checked: Checked) -> str:
    """For people: warnings, counts, rejects by reason, and a verdict."""
    return "\n".join(
        [
            *(f"Warning: {warning}." for warning in checked.warnings),
            f"{checked.upload}: {checked.images:,} images, {checked.orphans:,} of them without a record;"
            f" {checked.records:,} records, {checked.with_image:,} of them with an image",
            *([f"Id column: {checked.id_column}"] if checked.id_column else []),
            *_list_rejects(checked.rejects, whole=checked.fixed is not None),
            _verdict(checked),
            *(_describe_fixed(checked.fixed, checked.experiment) if checked.fixed else []),
        ]
    )


def _list_rejects(rejects: list[Reject], *, whole: bool) -> Iterator[str]:
    for group in group_rejects(rejects):
        found = [reject for reject in rejects if reject.reason == group.reason] if whole else group.first[:_SHOWN]
        yield f"{group.count:,} {group.reason} ({', '.join(sorted(group.stages))})"
        yield from (f"  {reject.source}: {reject.detail}" for reject in found)
        if group.count > len(found):
            yield f"  and {group.count - len(found):,} more"


def _describe_fixed(fixed: Fixed, experiment: str) -> Iterator[str]:
    if fixed.refused:
        yield f"{fixed.path} was not written: {fixed.refused}"
        return
    names = f"; {fixed.names:,} names of images taken out of cells" if fixed.names else ""
    tables = f"; written again: {', '.join(fixed.rewritten)}" if fixed.rewritten else ""
    yield f"{fixed.path}: {fixed.images:,} images, {fixed.records:,} records{names}{tables}"
    if fixed.imageless:
        yield f"{len(fixed.imageless):,} rows left out whose id is an image that is: {', '.join(fixed.imageless)}"
    if fixed.remaining:
        yield f"Kept in it, and still said of it: {len(fixed.remaining):,}"
        yield from _list_rejects(fixed.remaining, whole=True)
    # its own name would make it another experiment
    yield f"Run it: pixlake run {shlex.quote(fixed.path)} --experiment {experiment}"


def _verdict(checked: Checked) -> str:
    if checked.refused:
        return f"Refused: {checked.refused}"
    if checked.rejects:
        listed = "" if checked.fixed else "; --json lists every one"
        return f"{len(checked.rejects):,} would be rejected{listed}"
    if checked.warnings:
        return "Nothing would be left out, but look at the warnings"
    return "Clean: nothing would be left out"
