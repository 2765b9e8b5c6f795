"""Prepares a lake on a laptop for a run: a work folder for the execution, and the models that come with Pixlake."""

import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from pixlake.errors import StorageError
from pixlake_cli.engine.inputs import Upload

# Step Functions takes names of 80 characters.
EXPERIMENT_LENGTH = 56


def put_models(bundles: Path, lake: Path) -> None:
    """Copy each bundle that the lake lacks. An existing one of that name stays, whatever its content.

    StorageError where one cannot be copied, as onto a full disk.
    """
    for bundle in sorted(path.parent for path in bundles.glob("*/bundle.json")):
        target = lake / "models" / bundle.name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming = target.with_name(f".{bundle.name}-{secrets.token_hex(4)}")
        try:
            shutil.copytree(bundle, incoming)
        except shutil.Error as error:
            shutil.rmtree(incoming, ignore_errors=True)
            # a list of each file that failed, with its reason last
            raise StorageError(f"{target} cannot be written: {error.args[0][0][-1]}") from error
        try:
            incoming.rename(target)
        except OSError:
            # another run was faster
            shutil.rmtree(incoming)
            if not target.exists():
                raise


def name_execution(upload: Upload, lake: Path) -> str:
    """A name that sorts by time, names the experiment, and is unique on this lake: its work folder is new."""
    while True:
        start = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        name = f"{start}-{upload.experiment_id[:EXPERIMENT_LENGTH]}-{secrets.token_hex(2)}"
        try:
            (lake / "work" / name).mkdir(parents=True)
        except FileExistsError:
            continue
        return name
