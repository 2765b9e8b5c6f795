"""`pixlake models get`: a ready ONNX model of a hub. It needs only `onnx`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest, NotEqual
from pixlake.iceberg.lakes import Lake
from pixlake_models.commands.options import lake_if_any

if TYPE_CHECKING:
    from pixlake.bundles.manifest import Manifest
    from pixlake_models.exporting.figures import Figure
    from pixlake_models.exporting.writing import Content
    from pixlake_models.hub.making import Variant

_HUB = "hf:"


@click.command()
@click.argument("name", metavar="[NAME|hf:OWNER/NAME]", required=False)
@click.option(
    "--variant",
    type=click.Choice(["fp32", "fp16", "quantized"]),
    default="fp32",
    show_default=True,
    help="The weights: float32, float16 (half the size), or 8-bit integers (a quarter, with other answers).",
)
@click.option(
    "--name", "model", metavar="MODEL", help="Its name in the lake. Default: the repository's, and the variant."
)
@lake_if_any
def get(name: str | None, variant: "Variant", model: str | None, lake: Lake | None) -> None:
    """Get a ready ONNX model from a hub into the lake; torch is not needed.

    Without NAME it lists the models that have a short one, with the size of their float32 files and, where it was
    measured, images a second of a core.

    hf:OWNER/NAME is any repository in the layout of transformers.js and optimum: onnx/vision_model.onnx and
    onnx/text_model.onnx, or onnx/model.onnx; preprocessor_config.json, config.json and tokenizer.json. With @REVISION
    it is taken at that commit, branch or tag. Downloads are kept and resumed in the cache of huggingface_hub, whose
    HF_TOKEN, HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE hold here.

    The bundle is verified as by `pixlake models verify`. What the layout leaves open, such as the pooling, follows from
    config.json, and is checked as far as that is possible without the model that it was made of.

    \b
      pixlake models get
      pixlake models get dinov2-small --lake lake
      pixlake models get hf:Xenova/clip-vit-base-patch16 --variant fp16 --lake lake
    """
    from pixlake_models.hub.known import list_known

    if name is None:
        click.echo(list_known())
        return
    if lake is None:
        raise BadRequest("--lake is missing: the lake that gets the model")
    place, revision = _split(name)
    target = _derive_name(name, variant, model)

    from pixlake_models.hub.making import describe_files, make_bundle
    from pixlake_models.hub.repository import open_repository

    repository = open_repository(place, revision)
    with tempfile.TemporaryDirectory(prefix="pixlake-get-") as scratch:
        manifest, files = make_bundle(repository, variant, Path(scratch))
        manifest.source["files"] = describe_files(repository)
        figures, pushed = _check_and_push(manifest, files, target, lake)

    from pixlake_models.exporting.figures import format_table

    click.echo(format_table(figures))
    click.echo(f"{pushed} is in {lake.uri}; nothing compared it with the model that it was made of")


def _split(name: str) -> tuple[str, str | None]:
    """The repository and the revision."""
    from pixlake_models.hub.known import KNOWN, find_known

    if known := find_known(name):
        return known.repository, None
    if not name.startswith(_HUB):
        names = ", ".join(each.name for each in KNOWN)
        raise BadRequest(f"{name!r} names no model that can be had; it is one of {names}, or {_HUB}OWNER/NAME")
    place, _, revision = name.removeprefix(_HUB).partition("@")
    return place, revision or None


def _derive_name(name: str, variant: "Variant", model: str | None) -> str:
    """The name of a smaller variant says so, so that nobody serves one unknowingly."""
    from pixlake.lake import check_identifier
    from pixlake_models.commands.export import derive_name

    end = "" if variant == "fp32" else f"-{variant}"
    if model and not model.endswith(end):
        raise BadRequest(f"{model}: the name of a model with --variant {variant} ends in {end}")
    return check_identifier("model", model or f"{derive_name(name.partition('@')[0].rpartition('/')[2])}{end}")


def _check_and_push(
    manifest: "Manifest", files: "dict[str, Content]", name: str, lake: Lake
) -> tuple[list["Figure"], str]:
    """The figures, and `name@version`. NotEqual, with the lake as it was, if one is outside of its bounds."""
    import msgspec

    from pixlake.bundles.folders import read_folder
    from pixlake.bundles.manifest import MANIFEST
    from pixlake.bundles.parsing import encode
    from pixlake.bundles.transfers import push_bundle
    from pixlake_models.exporting.figures import record
    from pixlake_models.exporting.writing import write_bundle
    from pixlake_models.hub.checks import check_bundle

    manifest = msgspec.structs.replace(manifest, name=name)
    with tempfile.TemporaryDirectory(prefix="pixlake-get-") as scratch:
        folder = Path(scratch) / name
        # in a folder of the version's name as a lake has it, so that its weights are mapped, not read into memory
        folder = folder.rename(Path(scratch) / write_bundle(folder, manifest, files))
        written = read_folder(folder.as_uri())
        figures = check_bundle(written).figures
        if failed := [f"{each.name} is {each.value:.6g}, not {each.bound}" for each in figures if not each.holds]:
            raise NotEqual(f"{name}: it does not answer as a model of images does: {'; '.join(failed)}")
        described = msgspec.structs.replace(written.manifest, metrics=record(figures))
        (folder / MANIFEST).write_bytes(encode(described))
        checked = read_folder(folder.as_uri())
        push_bundle(checked, lake.uri, moved=True)
        return figures, checked.model
