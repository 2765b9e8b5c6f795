"""An upload of pets, put through `pixlake run` in a process of its own, and what it leaves in a lake."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.model_lakes import image, rows

STATES = ["Plan", "Extract", "Split", "Infer", "Compact", "Report"]
PIXLAKE = Path(sys.executable).with_name("pixlake")
SETTINGS = json.dumps({"embedder": "tiny", "classifier": {"with_image": "colors", "without_image": "ages"}})
PETS: dict[str, bytes | str] = {
    "pixlake.json": SETTINGS,
    "pets.csv": "id,Age\n" + "".join(f"{number:03},{number}\n" for number in range(30)),
    **{f"{number:03}.png": image((number * 8, 0, 0)) for number in range(25)},
}


def start(model_lake: Lake, *arguments: str | Path) -> "subprocess.Popen[str]":
    command = [str(PIXLAKE), "run", *map(str, arguments), "--lake", str(model_lake.folder)]
    # a user's AWS account and proxy must not matter
    elsewhere = {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    environment = {**os.environ, **elsewhere, "TMPDIR": str(model_lake.folder)}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_take_interrupts,
    )


def _take_interrupts() -> None:
    """A shell has its background jobs ignore SIGINT, and the tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(model_lake: Lake, *arguments: str | Path) -> tuple[int, str, str]:
    with start(model_lake, *arguments) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def until(process: "subprocess.Popen[str]", word: str) -> None:
    """Read what the run says until it says `word`."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line.split():
            return
    pytest.fail(f"the run ended before it said {word}")


def ids(model_lake: Lake, experiment: str) -> dict[str, list[str]]:
    columns = {"embeddings": "image_path", "predictions": "record_id", "records": "record_id", "rejects": "source"}
    return {table: [row[column] for row in rows(model_lake, table, experiment)] for table, column in columns.items()}


NOTHING: dict[str, list[str]] = {"embeddings": [], "predictions": [], "records": [], "rejects": []}
RIGHT = {
    "embeddings": [f"{number:03}.png" for number in range(25)],
    "predictions": [f"{number:03}" for number in range(30)],
    "records": [f"{number:03}" for number in range(30)],
    "rejects": [],
}
