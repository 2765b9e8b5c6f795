"""Loose images put one by one, their events in random order and some twice: one row an image, of few executions.

On MiniStack, whose S3, EventBridge, SQS and mapping of a queue are not ours, with the template's rule, batch size and
state machine; the functions are the laptop's. The queue is held until all events are in it, as a window holds it.

    python -m benchmarks.loose                                   # 1,000 images
    python -m benchmarks.loose --images 10000 --again 2000       # as in docs/benchmarks.md
"""

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tests.builders.model_lakes import image, rows
from tests.engines import stacks
from tests.engines.collecting import open_collecting
from tests.engines.stacks import UPLOADS, Stack, open_stack
from tests.project import ROOT

MODELS = {"Embedder": "emoji-clip", "ClassifierOrphan": ""}
_WRITERS = 8
_PATIENCE = 3600.0


@click.command()
@click.option("--images", default=1_000, show_default=True)
@click.option("--again", default=200, show_default=True, help="Events that come a second time.")
@click.option("--seed", default=0, show_default=True)
def main(images: int, again: int, seed: int) -> None:
    stacks.PATIENCE = _PATIENCE
    wanted = [f"camera {number % 7}/Ü {number}.png" for number in range(images)]
    bodies = [image((shade, 0, 0)) for shade in range(250)]
    with (
        tempfile.TemporaryDirectory(prefix="loose-") as folder,
        open_stack(Path(folder), MODELS, ROOT / "bundles") as stack,
        open_collecting(stack, hidden=900) as collecting,
    ):

        def put(number: int) -> None:
            body = bodies[number % len(bodies)]
            stack.s3.put_object(Bucket=UPLOADS, Key=f"images/cameras/{wanted[number]}", Body=body)

        with collecting.held():
            with ThreadPoolExecutor(_WRITERS) as pool:
                list(pool.map(put, range(images)))
            events = collecting.shuffle(random.Random(seed), again)
            begun = time.monotonic()
        ended = collecting.drained()
        took = time.monotonic() - begun
        found = Counter(row["image_path"] for row in rows(stack.lake, "embeddings", "cameras"))
        good = found == Counter(wanted) and all(it["status"] == "SUCCEEDED" for it in ended)
        kept = None if good else _keep(Path(folder), stack, ended)
    table = Table("what", "figure")
    table.add_row("images", f"{images:,}")
    table.add_row("events", f"{events:,}")
    table.add_row("executions", f"{len(ended):,}")
    table.add_row("seconds from the queue to rows", f"{took:,.0f}")
    table.add_row("rows", f"{found.total():,}")
    Console().print(table)
    if kept:
        causes = [it.get("cause") for it in ended if it["status"] != "SUCCEEDED"]
        raise click.ClickException(f"{causes}, {found.total()} rows of {images}: all that was logged is in {kept}")
    click.echo("exactly one row an image")


def _keep(folder: Path, stack: Stack, ended: list[dict[str, Any]]) -> Path:
    """A copy of MiniStack's log and the functions', with the executions and the rejects, which says why."""
    kept = Path(tempfile.mkdtemp(prefix="loose-failed-"))
    shutil.copy(folder / "ministack.log", kept)
    shutil.copytree(stack.functions.logs, kept / "functions")
    (kept / "executions.json").write_text(json.dumps(ended, default=str, indent=1))
    (kept / "rejects.json").write_text(json.dumps(rows(stack.lake, "rejects", "cameras"), default=str, indent=1))
    return kept


if __name__ == "__main__":
    main()
