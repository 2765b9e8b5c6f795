"""Compact against pyarrow alone: rows of vectors from parts into a table, and again with a tenth of them replaced.

The peer reads the same Parquet files and writes their rows with the same options, and does nothing else. Every figure
comes from a process of its own.

    python benchmarks/compact.py --rows 1000000 --dims 512
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pixlake import parquet
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.datafiles import ROW_GROUP_BYTES
from pixlake.lake import Work
from pixlake.messages import CompactRequest, ItemList, Run, SplitAnswer
from pixlake.schemas import EMBEDDINGS
from pixlake.settings import CompactSettings
from pixlake.steps.compact import compact

START = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "clip@0123456789ab"


@click.group(invoke_without_command=True)
@click.option("--rows", default=50_000, show_default=True)
@click.option("--dims", default=512, show_default=True)
@click.option("--part-rows", default=1_024, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; a temporary folder if left out.")
@click.pass_context
def main(context: click.Context, rows: int, dims: int, part_rows: int, folder: Path | None) -> None:
    """Print seconds and peak memory of compact and of its peer."""
    if context.invoked_subcommand is None:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            measure(Path(temporary), rows, dims, part_rows)


def measure(folder: Path, rows: int, dims: int, part_rows: int) -> None:
    """Both cases, each next to its peer."""
    table = Table(title=f"{rows:,} rows of {dims} floats, {os.cpu_count()} cores")
    for column in ("case", "compact s", "peak MB", "pyarrow s", "peak MB", "speed"):
        table.add_column(column, justify="left" if column == "case" else "right", no_wrap=True)
    write_parts(folder, 0, np.arange(rows), dims, part_rows)
    peer = in_process(folder, "peer", "parts")
    table.add_row("into an empty table", *columns(in_process(folder, "ours", "0"), peer))
    write_parts(folder, 1, np.arange(0, rows, 10), dims, part_rows)
    peer = in_process(folder, "peer", "data")
    table.add_row("a tenth replaced", *columns(in_process(folder, "ours", "1"), peer))
    Console().print(table)


def columns(ours: dict[str, float], peer: dict[str, float]) -> list[str]:
    """The figures of a line."""
    figures = [f"{value:,.1f}" for run in (ours, peer) for value in (run["seconds"], run["megabytes"])]
    return [*figures, f"{peer['seconds'] / ours['seconds']:.0%}"]


def write_parts(folder: Path, day: int, numbers: np.ndarray, dims: int, part_rows: int) -> None:
    """The parts of one execution, with the keys that `numbers` name."""
    random = np.random.default_rng(day)
    work = Work(f"file://{folder}", f"run-{day}")
    for start in range(0, len(numbers), part_rows):
        some = numbers[start : start + part_rows]
        vectors = random.standard_normal((len(some), dims), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        parquet.write_part(work.part("embeddings", f"{start:09d}"), EMBEDDINGS, _rows(some, vectors, day))


def _rows(numbers: np.ndarray, vectors: np.ndarray, day: int) -> pa.Table:
    count, dims = vectors.shape
    when = pa.array([START + timedelta(days=day)] * count, EMBEDDINGS.columns.field("uploaded_at").type)
    paths = [f"photos/{number:09d}.jpg" for number in numbers]
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * dims)
    values = {
        "experiment_id": ["bench"] * count,
        "image_path": paths,
        "record_id": [f"{number:09d}" for number in numbers],
        "embedding": pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1))),
        "model": [MODEL] * count,
        "width": [640] * count,
        "height": [480] * count,
        "sha256": [f"{number:064x}" for number in numbers],
        "image_uri": [f"s3://lake/images/bench/0123456789abcdef/{path}" for path in paths],
        "uploaded_at": when,
        "processed_at": when,
    }
    return pa.table({name: values[name] for name in EMBEDDINGS.columns.names}).cast(EMBEDDINGS.columns)


def in_process(folder: Path, *arguments: str) -> dict[str, float]:
    """Run one measurement of this file in a new process."""
    command = [sys.executable, __file__, *arguments, str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    result: dict[str, float] = json.loads(output)
    return result


@main.command()
@click.argument("day", type=int)
@click.argument("folder", type=click.Path(path_type=Path))
def ours(day: int, folder: Path) -> None:
    """Compact the parts of one execution."""
    start = time.perf_counter()
    uploaded = (START + timedelta(days=day)).isoformat()
    run = Run(f"run-{day}", "bench", "file:///bench.zip", f"{day:016x}", uploaded, uploaded)
    nothing = ItemList("", 0)
    split = SplitAnswer(nothing, 0, 0, 0, 0, 0, {"embedder": MODEL}, None, "")
    compact(CompactRequest(run, split), CompactSettings(f"file://{folder}", f"sqlite:///{folder}/catalog.db"))
    report(start)


@main.command()
@click.argument("what", type=click.Choice(["parts", "data"]))
@click.argument("folder", type=click.Path(path_type=Path))
def peer(what: str, folder: Path) -> None:
    """Read Parquet files and write their rows, with pyarrow alone."""
    paths = sorted((folder / "work").rglob("*.parquet")) if what == "parts" else data_files(folder)
    start = time.perf_counter()
    with parquet.writer(folder / "peer.parquet", EMBEDDINGS) as writer:
        for group in groups(paths):
            writer.write_table(group, row_group_size=group.num_rows)
    report(start)
    (folder / "peer.parquet").unlink()


def data_files(folder: Path) -> list[Path]:
    """The data files of the table, and the parts that replace rows of it."""
    table = load_table(open_catalog(f"file://{folder}", f"sqlite:///{folder}/catalog.db"), EMBEDDINGS.name)
    current = [Path(task.file.file_path.removeprefix("file://")) for task in table.scan().plan_files()]
    return current + sorted((folder / "work" / "run-1").rglob("*.parquet"))


def groups(paths: list[Path]) -> Iterator[pa.Table]:
    """The rows of all files as tables of a row group."""
    pending: list[pa.Table] = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            for index in range(file.num_row_groups):
                pending.append(file.read_row_group(index))
                if sum(table.nbytes for table in pending) >= ROW_GROUP_BYTES:
                    yield pa.concat_tables(pending)
                    pending = []
    if pending:
        yield pa.concat_tables(pending)


def report(start: float) -> None:
    """Print this process's time since `start` and its peak memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - start, "megabytes": peak}))


if __name__ == "__main__":
    main()
