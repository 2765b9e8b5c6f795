"""`pixlake check`: what would be refused or rejected of an upload, before a byte of it is sent."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from pixlake.iceberg.lakes import Lake
from pixlake.messages import Options, parse
from pixlake.rejects import Reject
from pixlake.report.tallies import group_rejects
from pixlake_cli.checking import Checked, Fixed, check_upload
from pixlake_cli.lakes import lake_if_any
from pixlake_cli.overrides import complete_option, merge_settings, settings_option
from pixlake_cli.progressbar import counting

_CLEAN, _REJECTS, _REFUSED = 0, 1, 2
_SHOWN = 3  # rejects of a kind


@click.command()
@click.argument("uploads", metavar="UPLOAD...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@lake_if_any
@click.option("--experiment", metavar="ID", help="The name of the data set. Default: the upload's file name.")
@complete_option
@settings_option
@click.option("--fix", metavar="OUT.zip", type=click.Path(path_type=Path), help="Write what is good of UPLOAD there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every reject.")
def check(
    uploads: tuple[Path, ...],
    lake: Lake | None,
    experiment: str | None,
    complete: bool,
    settings: list[dict[str, Any]],
    fix: Path | None,
    as_json: bool,
) -> None:
    """Find what would be refused or rejected of UPLOAD, by the pipeline's own code, before it is sent.

    UPLOAD is what `pixlake run` takes: a zip, a folder, or image files. Every image is decoded. With --lake the models
    that the upload names, and the id column that its experiment is keyed by, are those of that lake; without one, the
    demo models are the only ones known.

    Exits with 0 where nothing would be left out, 1 where something would be a row of `rejects`, and 2 where the upload
    would be refused as a whole.

    Nothing is written, but for --fix: a zip of the good images and the tables with the good rows, which gives the same
    records and embeddings as UPLOAD. A table that loses nothing is copied; another is written again, in UTF-8, a sheet
    of a workbook as CSV. A name in the image column that finds no good image is taken out of its cell; where the name
    is the id, the row goes with it. The pixlake.json in it holds the options of UPLOAD and of the command, and the
    columns that were found. Every reject is listed then; the exit code is still UPLOAD's.

    \b
    pixlake check holiday.zip
    pixlake check holiday.zip --lake my-lake --experiment holiday --json
    pixlake check holiday.zip --fix clean.zip
    """
    options = parse(merge_settings(settings, complete=complete), Options)
    with counting("Checking", "images") as tell:
        checked = check_upload(uploads, lake, experiment, options, tell, fix)
    click.echo(json.dumps(_as_object(checked), indent=1) if as_json else _as_text(checked))
    if checked.refused:
        sys.exit(_REFUSED)
    sys.exit(_REJECTS if checked.rejects else _CLEAN)


def _as_object(checked: Checked) -> dict[str, Any]:
    """Everything but `refused` is there always, and `fixed` where it was asked for."""
    found: dict[str, Any] = msgspec.to_builtins(checked)
    if checked.fixed is None:
        del found["fixed"]
    elif not checked.fixed.refused:
        del found["fixed"]["refused"]
    if not checked.refused:
        del found["refused"]
    return found


def _as_text(checked: Checked) -> str:
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
