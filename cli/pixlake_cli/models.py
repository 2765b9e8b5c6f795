"""`pixlake models`: the bundles of a lake."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pixlake_cli.lakes import Lake, lake_option

if TYPE_CHECKING:
    from pixlake.inference.folders import BundleFolder


@click.group()
def models() -> None:
    """List, show and push the models (bundles) of a lake."""


@models.command(name="list")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects.")
def list_models(lake: Lake, as_json: bool) -> None:
    """List the models of a lake: name@version, kind, and what it answers.

    \b
      pixlake models list --lake lake
    """
    described = [_describe(folder) for folder in find_bundles(lake)]
    if as_json:
        click.echo(json.dumps(described, indent=1))
        return
    if not described:
        click.echo(f"no models in {lake.uri}; `pixlake models push FOLDER` puts one there", err=True)
    for model in described:
        click.echo(f"{model['model']}  {model['kind']}  {model['answers']}")


@models.command()
@click.argument("name")
@lake_option
def show(name: str, lake: Lake) -> None:
    """Print what a model's bundle.json says, as JSON, after verifying every file.

    \b
      pixlake models show emoji-clip --lake lake
    """
    from pixlake.inference.folders import open_folder

    folder = open_folder(lake.uri, name)
    folder.verify(folder.manifest.files)
    described: dict[str, Any] = {"model": folder.model, **msgspec.to_builtins(folder.manifest)}
    click.echo(json.dumps(described, indent=1, ensure_ascii=False))


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@lake_option
def push(folder: Path, lake: Lake) -> None:
    """Verify the bundle in FOLDER and copy it into the lake, in place of one of the same name.

    \b
      pixlake models push bundles/emoji-clip --lake lake
    """
    from pixlake.inference.folders import read_folder

    source = read_folder(f"file://{folder.resolve()}")
    source.verify(source.manifest.files)
    _copy(source, lake)
    click.echo(f"{source.model} is in {lake.uri}")


def find_bundles(lake: Lake) -> Iterator["BundleFolder"]:
    """The bundles of a lake, by name."""
    from pixlake import storage
    from pixlake.inference.folders import open_folder
    from pixlake.inference.manifest import MANIFEST

    root = storage.join(lake.uri, "models")
    for info in sorted(storage.list_objects(root), key=lambda info: info.uri):
        name, _, file = info.uri.removeprefix(f"{root}/").partition("/")
        if file == MANIFEST and not name.startswith("."):
            yield open_folder(lake.uri, name)


def _describe(folder: "BundleFolder") -> dict[str, Any]:
    manifest = folder.manifest
    if manifest.kind == "embedder":
        answers = f"vectors of {manifest.dimensions}" + (", of images and texts" if manifest.text else ", of images")
    else:
        answers = f"{manifest.problem}, {len(manifest.labels)} labels" if manifest.labels else str(manifest.problem)
    return {"model": folder.model, "kind": manifest.kind, "answers": answers, "source": manifest.source}


def _copy(source: "BundleFolder", lake: Lake) -> None:
    """File by file; without its bundle.json, which goes first and comes last, a folder is no bundle."""
    from pixlake import storage
    from pixlake.inference.manifest import MANIFEST
    from pixlake.lake import bundle_uri, check_identifier

    target = bundle_uri(lake.uri, check_identifier("bundle", source.manifest.name))
    storage.delete([storage.join(target, MANIFEST)])
    stale = {info.uri for info in storage.list_objects(target)}
    names = [*source.manifest.files, MANIFEST]
    storage.delete(sorted(stale - {storage.join(target, name) for name in names}))
    for name in names:
        storage.write_stream(storage.join(target, name), storage.stream(storage.join(source.uri, name)))
