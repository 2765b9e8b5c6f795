"""`pixlake models`: the bundles of a lake."""

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pixlake.errors import BadBundle
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_if_any, lake_option
from pixlake_cli.sizes import memory_option

if TYPE_CHECKING:
    from pixlake.bundles.folders import BundleFolder

GROUP = "pixlake.models"
"""The entry points of commands that make bundles: torch and all it takes stay out of this package."""

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Models(click.Group):
    """The commands of this module, and those that installed packages register under `pixlake.models`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(entry_points(group=GROUP).names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for registered in entry_points(group=GROUP, name=cmd_name):
            command: click.Command = registered.load()
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=Models)
def models() -> None:
    """Make models (bundles), and list, show, verify, push and pull those of a lake."""


@models.command(name="list")
@lake_option
@_json_option
def list_models(lake: Lake, as_json: bool) -> None:
    """List the models of a lake: name@version, kind, size, and what it answers.

    One that is damaged is named on standard error, and the exit code is 1.

    \b
      pixlake models list --lake lake
    """
    from rich.filesize import decimal

    found, damaged = _open_all(lake)
    described = [_describe(folder) for folder in found]
    if as_json:
        click.echo(json.dumps(described, indent=1, ensure_ascii=False))
    elif not described and not damaged:
        click.echo(f"no models in {lake.uri}; `pixlake models push FOLDER` puts one there", err=True)
    else:
        for each in described:
            click.echo(f"{each['model']}  {each['kind']}  {decimal(each['size'])}  {each['answers']}")
    for error in damaged:
        click.echo(f"pixlake: {' '.join(str(error).split())}", err=True)
    if damaged:
        raise SystemExit(1)


@models.command()
@click.argument("name")
@lake_option
@_json_option
def show(name: str, lake: Lake, as_json: bool) -> None:
    """Print a model's card: what it takes in and answers, where it comes from, what was measured.

    NAME is a model's name, or name@version. With --json, all that its bundle.json says.

    \b
      pixlake models show emoji-clip --lake lake
    """
    from pixlake.bundles.folders import open_folder
    from pixlake_cli.modelcards import write_card

    folder = open_folder(lake.uri, name)
    if as_json:
        described = {"model": folder.model, "size": folder.size, **msgspec.to_builtins(folder.description)}
        click.echo(json.dumps(described, indent=1, ensure_ascii=False))
    else:
        click.echo(write_card(folder))


@models.command()
@click.argument("name")
@lake_option
@click.option("--sql", is_flag=True, help="Print them as a table expression named labels, to put behind a WITH.")
def labels(name: str, lake: Lake, sql: bool) -> None:
    """Print the labels of a classifier as CSV: class_id, label_id, label.

    The class_id is the label's place among them, from 0; the label_id is that of the vocabulary that it is of, such as
    WordNet's, where the model has one. With --sql a query, here or in Athena, joins predictions with them.

    \b
      pixlake models labels imagenet-lite0 --lake lake > labels.csv
      pixlake query "WITH $(pixlake models labels imagenet-lite0 --sql --lake lake)
        SELECT image_path, score, class_id, label_id, label
        FROM predictions JOIN labels USING (model, label)" --lake lake
    """
    from pixlake.bundles.folders import open_folder
    from pixlake_cli.labels import write_csv, write_sql

    folder = open_folder(lake.uri, name)
    click.echo(write_sql(folder) if sql else write_csv(folder), nl=sql)


@models.command()
@click.argument("model", metavar="NAME|FOLDER")
@lake_if_any
@memory_option
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="When it is stopped; one example has a thirtieth of it.",
)
@_json_option
def verify(model: str, lake: Lake | None, memory: int | None, timeout: float, as_json: bool) -> None:
    """Check a model whole: the format, every file's SHA-256, the graphs' inputs, and a trial.

    A graph is a program, so the trial has limits: one that takes more memory or time than it may is refused.

    The model is the NAME of one in the lake, or, with a / in it, a FOLDER with a bundle. Exits with 1 and the
    reason if it is not fit to serve.

    \b
      pixlake models verify emoji-clip --lake lake
      pixlake models verify ./my-model
    """
    from pixlake.bundles.folders import find_bundle
    from pixlake.inference.verifying import verify_bundle

    folder = find_bundle(model, lake.uri if lake else None)
    trial = verify_bundle(folder, memory=memory, seconds=timeout)
    if as_json:
        click.echo(json.dumps({**_describe(folder), "files": len(folder.description.files), "trial": trial}))
    else:
        click.echo(f"{folder.model} is fit to serve: its files are as listed; {trial}")


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@lake_option
def push(folder: Path, lake: Lake) -> None:
    """Copy the bundle in FOLDER into the lake, verified, to be served under its name from then on.

    Whoever loads a model meanwhile gets the older one or this one, whole. The version that it replaces stays, as
    name@version, for runs that began with it.

    \b
      pixlake models push bundles/emoji-clip --lake lake
    """
    from pixlake.bundles.folders import read_folder
    from pixlake.bundles.transfers import push_bundle

    source = read_folder(f"file://{folder.resolve()}")
    # before the first is written, though each is verified again as it is copied
    source.verify(source.description.files)
    push_bundle(source, lake.uri)
    click.echo(f"{source.model} is in {lake.uri}")


@models.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@lake_option
def pull(name: str, folder: Path, lake: Lake) -> None:
    """Copy a model out of the lake into a new FOLDER, verified.

    \b
      pixlake models pull emoji-clip my-copy --lake lake
    """
    from pixlake.bundles.folders import open_folder
    from pixlake.bundles.transfers import pull_bundle

    source = open_folder(lake.uri, name)
    pull_bundle(source, folder)
    click.echo(f"{source.model} is in {folder}")


def _open_all(lake: Lake) -> tuple[list["BundleFolder"], list[BadBundle]]:
    """The bundles of a lake by name, and what is wrong with the others."""
    from pixlake.bundles.folders import open_folder

    found: list[BundleFolder] = []
    damaged: list[BadBundle] = []
    for name in _list_names(lake):
        try:
            found.append(open_folder(lake.uri, name))
        except BadBundle as error:
            damaged.append(error)
    return found, damaged


def _list_names(lake: Lake) -> Iterator[str]:
    from pixlake import storage
    from pixlake.bundles.manifest import MANIFEST

    root = storage.join(lake.uri, "models")
    for uri in sorted(info.uri for info in storage.list_objects(root)):
        name, _, file = uri.removeprefix(f"{root}/").partition("/")
        if file == MANIFEST and not name.startswith("."):
            yield name


def _describe(folder: "BundleFolder") -> dict[str, Any]:
    from pixlake_cli.modelcards import describe_answer

    manifest = folder.description
    return {
        "model": folder.model,
        "name": manifest.name,
        "version": folder.version,
        "kind": manifest.kind,
        "size": folder.size,
        "answers": describe_answer(manifest),
        "source": manifest.source,
    }
