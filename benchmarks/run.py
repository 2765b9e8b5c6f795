"""`pixlake run` of the sample, from command to report: the first run on a new lake, and runs on an existing lake.

Times are of the whole process, and of each state; the rest is the start of Python, of the interpreter and of the first
worker, and the end.

    python benchmarks/run.py --runs 3
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 15.0


def measure(upload: Path, lake: Path) -> dict[str, Any]:
    """The result of one run, with `wall` seconds."""
    command: list[str | Path] = [Path(sys.executable).with_name("pixlake"), "run", upload, "--lake", lake, "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode:
        raise click.ClickException(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**result, "wall": wall}


@click.command()
@click.option("--runs", default=3, show_default=True, help="Runs on one lake; the first finds it empty.")
@click.argument("upload", type=click.Path(exists=True, path_type=Path), default=ROOT / "samples" / "emoji.zip")
def main(runs: int, upload: Path) -> None:
    """Print seconds by state and in all, beside the limit."""
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(upload, Path(folder) / "lake") for _ in range(runs)]
    first = results[0]
    counts = ", ".join(f"{first[key]:,} {key}" for key in ("images", "records", "embedded", "predicted"))
    table = Table(title=f"{upload.name}: {counts}; {os.cpu_count()} cores")
    table.add_column("seconds")
    for number in range(runs):
        table.add_column("new lake" if number == 0 else f"again {number}", justify="right")
    for state in first["timings"]:
        table.add_row(state, *(f"{result['timings'].get(state, 0):.2f}" for result in results))
    rest = [result["wall"] - sum(result["timings"].values()) for result in results]
    table.add_row("start and end", *(f"{seconds:.2f}" for seconds in rest), end_section=True)
    table.add_row("from command to end", *(f"{result['wall']:.2f}" for result in results))
    table.add_row("limit", *[f"{LIMIT_SECONDS:.2f}"] * runs)
    Console().print(table)


if __name__ == "__main__":
    main()
