"""`pixlake models export`: a model of open_clip or timm as a bundle."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pixlake.errors import BadRequest
from pixlake_models.commands.environment import TorchCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from pixlake_models.export import Candidate, Request

EXPORTERS = {
    "open_clip": "pixlake_models.export_clip:export_open_clip",
    "timm": "pixlake_models.export_timm:export_timm",
}
"""The library that SOURCE begins with -> the function from a Request to a Candidate."""


@click.command(cls=TorchCommand)
@click.argument("source", metavar="LIBRARY:NAME")
@click.option("--pretrained", metavar="TAG|FILE", help="The weights: a tag of the library's, or a file of yours.")
@click.option("--features", "answer", flag_value="features", help="Of timm's: an embedder, by the pooled features.")
@click.option("--classify", "answer", flag_value="classes", help="Of timm's: a classifier of images, by the classes.")
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The classes' names, one a line. Default: the weights' own, else ImageNet's by their number.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the bundle.")
def export(
    source: str,
    pretrained: str | None,
    answer: Literal["features", "classes"] | None,
    labels: Path | None,
    output: Path | None,
) -> None:
    """Make a bundle of a model that is known by name, and prove that it answers as the model does.

    The bundle is written to FOLDER, whose name becomes the model's, else to a folder named after NAME, here. Where its
    answers differ from the model's, nothing is written. `pixlake models push FOLDER --lake LAKE` serves it.

    \b
      pixlake models export open_clip:ViT-B-32 --pretrained laion2b_s34b_b79k
      pixlake models export open_clip:ViT-B-32 --pretrained my-run/epoch_32.pt --output models/shoes
      pixlake models export timm:resnet50.a1_in1k --features
      pixlake models export timm:mobilenetv3_large_100 --classify --pretrained pets.pth --labels breeds.txt
    """
    from pixlake_models.bundles import check_target
    from pixlake_models.export import Request, prove_and_write
    from pixlake_models.figures import format_table

    exporter, name = _find_exporter(source)
    if (answer or labels) and not source.startswith("timm:"):
        raise BadRequest("--features, --classify and --labels are for models of timm's")
    target = (output or Path(derive_name(name))).resolve()
    check_target(target)
    written = prove_and_write(exporter(Request(name, pretrained, answer, labels)), target)
    click.echo(format_table(written.figures))
    click.echo(f"{target.name}@{written.version} is in {output or target.name}")


def derive_name(name: str) -> str:
    """A model's name that a folder can have: `hf-hub:timm/ViT-B-16` becomes `hf-hub-timm-ViT-B-16`."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in name).lstrip("._-")


def _find_exporter(source: str) -> "tuple[Callable[[Request], Candidate], str]":
    library, _, name = source.partition(":")
    if library not in EXPORTERS or not name:
        known = " or ".join(f"{each}:NAME" for each in EXPORTERS)
        raise BadRequest(f"{source!r} names no model that can be exported; it is written {known}")
    module, _, function = EXPORTERS[library].partition(":")
    return getattr(importlib.import_module(module), function), name
