"""`pixlake check`: what would be refused or rejected of an upload, before a byte of it is sent."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from pixlake.iceberg.lakes import Lake
from pixlake.messages import Options, parse
from pixlake.report.tallies import RejectGroup, group_rejects
from pixlake_cli.checking import Checked, check_upload
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every reject.")
def check(
    uploads: tuple[Path, ...],
    lake: Lake | None,
    experiment: str | None,
    complete: bool,
    settings: list[dict[str, Any]],
    as_json: bool,
) -> None:
    """Find what would be refused or rejected of UPLOAD, by the pipeline's own code; nothing is written.

    UPLOAD is what `pixlake run` takes: a zip, a folder, or image files. Every image is decoded. With --lake the models
    that the upload names, and the id column that its experiment is keyed by, are those of that lake; without one, the
    demo models are the only ones known.

    Exits with 0 where nothing would be left out, 1 where something would be a row of `rejects`, and 2 where the upload
    would be refused as a whole.

    \b
    pixlake check holiday.zip
    pixlake check holiday.zip --lake my-lake --experiment holiday --json
    """
    options = parse(merge_settings(settings, complete=complete), Options)
    with counting("Checking", "images") as tell:
        checked = check_upload(uploads, lake, experiment, options, tell)
    click.echo(json.dumps(_as_object(checked), indent=1) if as_json else _as_text(checked))
    if checked.refused:
        sys.exit(_REFUSED)
    sys.exit(_REJECTS if checked.rejects else _CLEAN)


def _as_object(checked: Checked) -> dict[str, Any]:
    """Everything but `refused` is there always."""
    found: dict[str, Any] = msgspec.to_builtins(checked)
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
            *(line for group in group_rejects(checked.rejects) for line in _describe(group)),
            _verdict(checked),
        ]
    )


def _describe(group: RejectGroup) -> list[str]:
    examples = [f"  {reject.source}: {reject.detail}" for reject in group.first[:_SHOWN]]
    more = [f"  and {group.count - _SHOWN:,} more"] if group.count > _SHOWN else []
    return [f"{group.count:,} {group.reason} ({', '.join(sorted(group.stages))})", *examples, *more]


def _verdict(checked: Checked) -> str:
    if checked.refused:
        return f"Refused: {checked.refused}"
    if checked.rejects:
        return f"{len(checked.rejects):,} would be rejected; --json lists every one"
    if checked.warnings:
        return "Nothing would be left out, but look at the warnings"
    return "Clean: nothing would be left out"
