"""`pixlake check`: what would be refused or rejected of an upload, before a byte of it is sent."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pixlake.iceberg.lakes import Lake
from pixlake.messages import Options, parse
from pixlake_cli.checking import check_upload
from pixlake_cli.lakes import lake_if_any
from pixlake_cli.overrides import complete_option, merge_settings, settings_option
from pixlake_cli.progressbar import counting
from pixlake_cli.verdicts import as_object, as_text

_CLEAN, _REJECTS, _REFUSED = 0, 1, 2


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
    click.echo(json.dumps(as_object(checked), indent=1) if as_json else as_text(checked))
    if checked.refused:
        sys.exit(_REFUSED)
    sys.exit(_REJECTS if checked.rejects else _CLEAN)
