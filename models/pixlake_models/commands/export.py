"""`pixlake models export`: a model of open_clip or timm as a bundle."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pixlake.errors import BadRequest
from pixlake_models.commands.environment import TorchCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from pixlake_models.exporting.export import Candidate, Request
    from pixlake_models.quantizing.variants import Probes

EXPORTERS = {
    "open_clip": "pixlake_models.clip.export:export_open_clip",
    "timm": "pixlake_models.timm.export:export_timm",
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
@click.option("--license", "licence", metavar="NAME", help="The weights' licence, where the library knows none.")
@click.option("--fp16", "variant", flag_value="fp16", help="Keep the weights as float16: half the size, as fast.")
@click.option(
    "--int8", "variant", flag_value="int8", help="Compute with 8-bit integers: a quarter of the size, faster."
)
@click.option(
    "--calibration",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Of --fp16 and --int8: pictures like yours, to fit and measure by. Default: 14 photographs.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write the bundle.")
def export(
    source: str,
    pretrained: str | None,
    answer: Literal["features", "classes"] | None,
    labels: Path | None,
    licence: str | None,
    variant: Literal["fp16", "int8"] | None,
    calibration: Path | None,
    output: Path | None,
) -> None:
    """Make a bundle of a model that is known by name, and prove that it answers as the model does.

    The bundle is written to FOLDER, whose name becomes the model's, else to a folder named after NAME, here. Where its
    answers differ from the model's, nothing is written. `pixlake models push FOLDER --lake LAKE` serves it.

    With --fp16 or --int8 the name ends in -fp16 or -int8, and how near the answers are to float32's is in the bundle;
    where they are too far, nothing is written.

    \b
      pixlake models export open_clip:ViT-B-32 --pretrained laion2b_s34b_b79k
      pixlake models export open_clip:ViT-B-32 --pretrained my-run/epoch_32.pt --output models/shoes
      pixlake models export timm:resnet50.a1_in1k --features
      pixlake models export open_clip:ViT-B-32 --pretrained laion2b_s34b_b79k --int8 --calibration photos
      pixlake models export timm:mobilenetv3_large_100 --classify --pretrained pets.pth --labels breeds.txt
    """
    library, name = _split(source)
    if (answer or labels) and library != "timm":
        raise BadRequest("--features, --classify and --labels are for models of timm's")
    target = (output or Path(_add_variant(derive_name(name), variant))).resolve()
    _check_variant(target, variant, calibration)

    from pixlake_models.exporting.writing import check_target

    check_target(target)
    probes = _find_probes(calibration) if variant else None

    from pixlake_models.exporting.cost import with_cost
    from pixlake_models.exporting.export import Request, prove_and_write

    candidate = _find_exporter(library)(Request(name, pretrained, answer, labels, licence))
    if variant and probes:
        from pixlake_models.quantizing.variants import quantize

        candidate = quantize(candidate, variant, probes, target.name)
    written = prove_and_write(with_cost(candidate), target)
    click.echo(written.describe())
    click.echo(f"{target.name}@{written.version} is in {output or target.name}")


def _split(source: str) -> tuple[str, str]:
    """The library and the name in it."""
    library, _, name = source.partition(":")
    if library not in EXPORTERS or not name:
        known = " or ".join(f"{each}:NAME" for each in EXPORTERS)
        raise BadRequest(f"{source!r} names no model that can be exported; it is written {known}")
    return library, name


def _add_variant(name: str, variant: str | None) -> str:
    return f"{name}-{variant}" if variant else name


def _check_variant(target: Path, variant: str | None, calibration: Path | None) -> None:
    """The name of a quantized model says so, so that nobody serves one unknowingly."""
    if variant and not target.name.endswith(f"-{variant}"):
        raise BadRequest(f"{target.name}: the name of a model with --{variant} ends in -{variant}")
    if calibration and not variant:
        raise BadRequest("--calibration is for --fp16 and --int8")


def derive_name(name: str) -> str:
    """A model's name that a folder can have: `hf-hub:org/ViT-B-16` becomes `hf-hub-org-ViT-B-16`, `a/my.json` `my`."""
    name = Path(name).stem if name.endswith(".json") else name
    return "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in name).lstrip("._-")


def _find_probes(calibration: Path | None) -> "Probes":
    from pixlake_models.quantizing.variants import make_probes, read_probes

    return read_probes(calibration) if calibration else make_probes()


def _find_exporter(library: str) -> "Callable[[Request], Candidate]":
    module, _, function = EXPORTERS[library].partition(":")
    exporter: Callable[[Request], Candidate] = getattr(importlib.import_module(module), function)
    return exporter
