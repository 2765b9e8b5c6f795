"""One execution on the laptop engine, as `pixlake run` and `pixlake retry` show it."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from pixlake.iceberg.lakes import Lake
from pixlake.models_python import find_models_python
from pixlake.settings import Device
from pixlake_cli.engine.display import shown
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.inputs import Upload
from pixlake_cli.engine.notes import Keeper
from pixlake_cli.engine.progress import Progress
from pixlake_cli.engine.provision import name_execution
from pixlake_cli.engine.summary import Ended


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run in good order: workers gone, and a word about what is left."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped. Each table is as it was or complete; run it again whenever you like.", err=True)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def check_device(device: Device, *, containers: bool) -> None:
    """UsageError for a GPU in containers."""
    if containers and device is not Device.CPU:
        raise click.UsageError("--containers run on the cores, as Lambda does: --device does not go with it")


def make_engine(lake: Lake, *, containers: bool = False, device: Device = Device.CPU) -> Engine:
    """The engine on a lake in a folder."""
    # on a laptop it stands in for the AutoGluon container
    parameters = {} if containers else {"AutoGluonImage": str(find_models_python() or "")}
    return Engine(lake.uri, lake.catalog_uri, parameters, containers=containers, device=device)


def execute(engine: Engine, lake: Path, upload: Upload, request: Mapping[str, Any], begun: float) -> Ended:
    """Run the state machine on `request`, with its progress on standard error. `begun` is when the person began to
    wait: for a first execution, before the engine was up."""
    name = name_execution(upload, lake)
    keeper = Keeper(lake, name, upload, engine.logs)
    click.echo(f"{upload.shown} as experiment {upload.experiment_id}, execution {name}", err=True)
    with keeper, shown() as show:
        progress = Progress(engine.states(), show)
        outcome = engine.execute(name, request, progress)
        keeper.end(outcome)
    return Ended(outcome, progress, upload.experiment_id, lake, round(time.monotonic() - begun, 1))


def tell(ended: Ended, logs: Path, *, as_json: bool) -> None:
    """The summary or the failure, for people, and as one JSON object for programs."""
    click.echo(ended.summary() if ended.good else ended.explanation(logs), err=True)
    if as_json:
        click.echo(json.dumps(ended.result()))
