"""`pixlake models try`: which embedder, by figures on one's own images. torch is not needed."""

import json
import tempfile
from pathlib import Path

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.settings import Device
from pixlake_models.commands.options import device_option, lake_if_any

_MOST = 500


@click.command(name="try")
@click.argument("bundles", metavar="NAME|FOLDER...", nargs=-1, required=True)
@click.option(
    "--on",
    "upload",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FOLDER|ZIP",
    help="Images, with or without a table, as for `pixlake run`.",
)
@click.option("--label", metavar="COLUMN", help="The table's column with the label. Default: pixlake.json's.")
@click.option(
    "--most",
    type=click.IntRange(3),
    default=_MOST,
    show_default=True,
    metavar="N",
    help="Try at most so many images, evenly spread.",
)
@click.option(
    "--page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write an HTML page, too."
)
@device_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@lake_if_any
def try_models(
    bundles: tuple[str, ...],
    upload: Path,
    label: str | None,
    most: int,
    page: Path | None,
    device: Device,
    as_json: bool,
    lake: Lake | None,
) -> None:
    """Compare embedders on images of yours; nothing is written to a lake.

    Each is the NAME of one in the lake, or, with a / in it, a FOLDER. Of each, in a process of its own: images a second
    on this machine, decoding included, and of a core's own time; peak memory; list price of embedding a million images
    on Lambda, whose cores are taken to be as fast as these.

    Where the table has labels: how many images have their label at the nearest other image (recall@1), among the five
    nearest (recall@5), and by the vote of these (accuracy).

    The page shows ten images, and beside each what every model finds nearest to it.

    \b
      pixlake models try photo-lite0 clip-vit-b32 --on photos.zip --page models.html --lake lake
      pixlake models try ./bundles/photo-lite0 ./my-model --on pets/ --label breed --json
    """
    from pixlake.bundles.folders import find_bundle
    from pixlake_models.trying.comparing import compare, format_table
    from pixlake_models.trying.material import gather

    folders = [find_bundle(each, lake.uri if lake else None) for each in bundles]
    if others := [each.model for each in folders if each.description.kind != "embedder"]:
        raise BadRequest(f"{', '.join(others)}: only embedders are compared, by what is near to what")
    with tempfile.TemporaryDirectory(prefix="pixlake-try-") as work:
        material = gather(upload, label, most, Path(work))
        found = compare(folders, material, lambda model: click.echo(f"trying {model}", err=True), device)
        if page:
            _write_page(page, found, upload)
    if as_json:
        click.echo(json.dumps(found.describe(), indent=1, ensure_ascii=False))
    else:
        click.echo(format_table(found))
        click.echo(found.remark())


def _write_page(page: Path, found: object, upload: Path) -> None:
    from pixlake_models.trying.comparing import Comparison
    from pixlake_models.trying.page import write_page

    assert isinstance(found, Comparison)
    try:
        page.write_text(write_page(found, f"Models tried on {upload.name or upload}"))
    except OSError as error:
        raise BadRequest(f"cannot write {page}: {error.strerror}") from error
