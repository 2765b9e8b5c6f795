"""`pixlake watch`: what is put into a folder comes into a lake, until Ctrl-C."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import watchfiles

from pixlake.errors import BadRequest, PixlakeError
from pixlake.iceberg.lakes import Lake
from pixlake.messages import TOTALS
from pixlake_cli.arrivals import Known, State, describe, find_new, read_known, scan, wait_for_whole, write_gathered
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.engine.notes import Keeper
from pixlake_cli.engine.provision import name_execution, put_models
from pixlake_cli.engine.root import ROOT
from pixlake_cli.lakes import lake_option
from pixlake_cli.overrides import merge_settings, settings_option
from pixlake_cli.running import interruptible, make_engine

LOOK_SECONDS = 5.0
"""How often the folder is looked at where no event came, as of a disk on a network."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@lake_option
@click.option("--experiment", metavar="ID", help="The name of the data set. Default: the folder's name.")
@click.option(
    "--gather",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Files that come within so many seconds are one run.",
)
@settings_option
def watch(folder: Path, lake: Lake, experiment: str | None, seconds: float, settings: list[dict[str, Any]]) -> None:
    """Put the images of FOLDER into a lake on this machine, and those that come, until Ctrl-C.

    What is there already and not in the lake, or changed since, is taken first. Then each file that comes, is
    overwritten or renamed is taken when it is whole, with others that come at the same time: one run, one line. A run
    that fails does not end it. Tables (CSV, Excel, …) are taken too, and a pixlake.json in FOLDER holds for every run.
    An image that is deleted or renamed stays in the lake under its old name; `pixlake delete --image` removes it.

    \b
    pixlake watch camera --lake my-lake
    pixlake watch /mnt/scans --experiment scans --set embedder=emoji-clip --lake my-lake
    """
    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: `pixlake watch` works on a folder; put images into the stack's bucket instead")
    lake.require_not_moved()
    (upload,) = find_uploads([folder], lake.folder, experiment)
    put_models(ROOT / "bundles", lake.folder)
    with interruptible(), make_engine(lake) as engine:
        watching = _Watching(engine, lake, upload, merge_settings(settings, complete=False))
        click.echo(f"Watching {upload.shown} as experiment {upload.experiment_id}; Ctrl-C ends it", err=True)
        for _ in _moments(watching.folder, seconds):
            watching.look()


def _moments(folder: Path, seconds: float) -> Iterator[None]:
    """At once, after each group of changes, and now and then."""
    yield
    changes = watchfiles.watch(
        folder,
        debounce=int(seconds * 1000),
        step=max(1, min(500, int(seconds * 500))),
        rust_timeout=int(LOOK_SECONDS * 1000),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    for _ in changes:
        yield


@dataclass
class _Watching:
    engine: Engine
    lake: Lake
    upload: Upload
    options: dict[str, Any]
    taken: dict[str, State] = field(default_factory=dict)
    known: Known | None = None

    @property
    def folder(self) -> Path:
        return Path(self.upload.uri.removeprefix("file://"))

    def look(self) -> None:
        """Run what is new and whole; a file that is still written is looked at again."""
        if self.known is None:
            self.known = read_known(self.lake, self.upload.experiment_id)
        new = find_new(scan(self.folder), self.taken, self.known)
        if new and (whole := wait_for_whole(self.folder, new)):
            # whatever comes of the run: only a file that changes is taken again
            self.taken.update(whole)
            try:
                click.echo(self._run(whole), err=True)
            except (PixlakeError, OSError) as error:
                click.echo(f"{describe(whole)}: failed: {' '.join(str(error).split())}", err=True)

    def _run(self, files: dict[str, State]) -> str:
        """One execution, in a line."""
        assert self.lake.folder is not None
        begun = time.monotonic()
        name = name_execution(self.upload, self.lake.folder)
        uri = write_gathered(self.lake, name, self.folder, files)
        request = {"upload_uri": uri, "experiment_id": self.upload.experiment_id, "options": self.options}
        with Keeper(self.lake.folder, name, self.upload, self.engine.logs) as keeper:
            outcome = self.engine.execute(name, request)
            keeper.end(outcome)
        said = f"{describe(files)}, execution {name}, {time.monotonic() - begun:.1f} s"
        if outcome.status != "SUCCEEDED":
            return f"{said}: failed with {outcome.error}; pixlake logs {name} --lake {self.lake.folder}"
        return f"{said}: {', '.join(f'{outcome.output.get(key, 0):,} {key}' for key in TOTALS)}"
