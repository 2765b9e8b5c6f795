"""Split: an upload of many records and many images, joined and cut into batches, beside its limits.

The table is shaped like PetFinder's: a dozen columns, quoted text with line ends in it. Each image is named after a
record. The peer, pyarrow alone, reads the same CSV and joins it with the same image names, already cut to record ids;
it finds no columns, reads no lists of images, checks nothing and writes nothing. Every figure comes from a process of
its own.

    python benchmarks/split.py --records 1000000 --images 1000000
"""

import csv
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from rich.console import Console
from rich.table import Table

from pixlake.lake import Work
from pixlake.messages import Classifiers, Image, ItemList, Options, Run, SplitRequest
from pixlake.settings import SplitSettings
from pixlake.steps.split import split

SHARD = 2_000
LIMIT_SECONDS, LIMIT_MEGABYTES, LIMIT_ROWS = 30, 1_500, 1_000_000
COLUMNS = ("Type", "Name", "Age", "Breed", "Gender", "Color", "Fee", "RescuerID", "VideoAmt", "Description", "PetID")
TEXT = 'A friendly one, vaccinated and "dewormed".\nLoves children; call me | or write. ' * 2
TIME = "2026-01-01T00:00:00Z"


@click.group(invoke_without_command=True)
@click.option("--records", default=50_000, show_default=True)
@click.option("--images", default=50_000, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work; a temporary folder if left out.")
@click.pass_context
def main(context: click.Context, records: int, images: int, folder: Path | None) -> None:
    """Print seconds and peak memory of split, of its peer, and the limits."""
    if context.invoked_subcommand is None:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            measure(Path(temporary), records, images)


def measure(folder: Path, records: int, images: int) -> None:
    """Every case beside the peer."""
    write_upload(folder, records, images)
    peer = in_process("peer", folder)
    table = Table(title=f"{records:,} records, {images:,} images, {os.cpu_count()} cores")
    for column in ("case", "s", "CPU s", "peak MB", "pyarrow s", "CPU s", "peak MB", "share", "limits"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case in CASES:
        ours = in_process("ours", folder, case)
        table.add_row(
            case,
            *(f"{run[name]:,.1f}" for run in (ours, peer) for name in ("seconds", "cores", "megabytes")),
            f"{peer['seconds'] / ours['seconds']:.0%}",
            verdict(ours, max(records, images)),
        )
    table.caption = f"limits: {LIMIT_SECONDS} s and {LIMIT_MEGABYTES:,} MB for {LIMIT_ROWS:,} of each"
    Console().print(table)


def verdict(ours: dict[str, float], rows: int) -> str:
    """Whether the limits hold; they are for LIMIT_ROWS rows."""
    within = ours["seconds"] <= LIMIT_SECONDS and ours["megabytes"] <= LIMIT_MEGABYTES
    return ("held" if within else "EXCEEDED") if rows >= LIMIT_ROWS else "-"


CASES: dict[str, tuple[str, Options]] = {
    "records": ("by-name", Options()),
    "and batches to embed": ("by-name", Options(embedder="embedder")),
    "and batches to classify": ("by-name", Options(embedder="embedder", classifier=Classifiers("record", "record"))),
    "images by a column": ("by-column", Options(embedder="embedder")),
}


def write_upload(folder: Path, records: int, images: int) -> None:
    """The work folders that Plan and Extract leave: one with a table alone, one whose table names an image a row."""
    random = np.random.default_rng(0)
    ids = [f"{number:09x}" for number in random.permutation(records)]
    names = sorted(f"train_images/{ids[k % records]}-{k // records + 1}.jpg" for k in range(images))
    for execution in ("by-name", "by-column"):
        work = Work(f"file://{folder}", execution)
        write_table(path_of(work.tables), ids, random, named=execution == "by-column")
        write_lists(work, names)
    owners = pa.table({"PetID": [name[13:22] for name in names], "image_path": names})
    arrow_csv.write_csv(owners, folder / "names.csv")
    (folder / "shards").write_text(str(-(-images // SHARD)))
    for name, kind in (("embedder", "embedder"), ("record", "record_classifier")):
        write_bundle(folder / "models" / name, name, kind)


def write_lists(work: Work, names: list[str]) -> None:
    """Extract's lists of its shards."""
    encoder = msgspec.json.Encoder()
    path_of(work.extracted(0)).parent.mkdir()
    for shard, start in enumerate(range(0, len(names), SHARD)):
        some = names[start : start + SHARD]
        lines = [Image(name, f"s3://lake/images/bench/{'0' * 16}/{name}", 50_000) for name in some]
        path_of(work.extracted(shard)).write_bytes(encoder.encode_lines(lines))


def write_table(folder: Path, ids: list[str], random: np.random.Generator, *, named: bool) -> None:
    """`train.csv` with a row for each id, which names the record's first image if `named`."""
    folder.mkdir(parents=True)
    numbers = random.integers(0, 100, (len(ids), 6)).tolist()
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "Photo" if named else "PhotoAmt"])
        for each, (a, b, c, d, e, f) in zip(ids, numbers, strict=True):
            photo = f"{each}-1.jpg" if named else a % 5
            writer.writerow([a % 2, "Nibble", b, c, d, e, f, f"{a * b * 7919:032x}", 0, TEXT[: 2 * a], each, photo])


def write_bundle(folder: Path, name: str, kind: str) -> None:
    """A complete bundle; Split names models and runs none."""
    side = {"width": 8, "height": 8, "resize": "squash", "interpolation": "nearest", "background": [0, 0, 0]}
    image = {"type": "image", "tensor": "x", "preprocessing": {**side, "mean": [0, 0, 0], "std": [1, 1, 1]}}
    answer = {"dimensions": 8} if kind == "embedder" else {"problem": "binary", "labels": ["a", "b"]}
    manifest = {
        "format": 1,
        "name": name,
        "kind": kind,
        "inputs": [{**image, "missing": "zero"}],
        "graph": "graph.onnx",
        "output": {"tensor": "y", "activation": "none"},
        "files": {"graph.onnx": hashlib.sha256(b"").hexdigest()},
        "source": {},
        **answer,
    }
    folder.mkdir(parents=True)
    (folder / "graph.onnx").write_bytes(b"")
    (folder / "bundle.json").write_text(json.dumps(manifest))


def path_of(uri: str) -> Path:
    """The path of a `file://` URI."""
    return Path(uri.removeprefix("file://"))


def in_process(command: str, folder: Path, *arguments: str) -> dict[str, float]:
    """Run one measurement of this file in a new process."""
    output = subprocess.run(
        [sys.executable, __file__, command, str(folder), *arguments], check=True, stdout=subprocess.PIPE
    ).stdout
    result: dict[str, float] = json.loads(output)
    return result


def report(work: Callable[[], object]) -> None:
    """Do `work` and print its seconds, the cores' seconds and this process's peak memory."""
    start, cores = time.perf_counter(), time.process_time()
    work()
    figures = {
        "seconds": time.perf_counter() - start,
        "cores": time.process_time() - cores,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000,
    }
    click.echo(json.dumps(figures))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("case")
def ours(folder: Path, case: str) -> None:
    """Split the upload."""
    shards = ItemList("shards.json", int((folder / "shards").read_text()))
    execution, options = CASES[case]
    run = Run(execution, "bench", "file:///bench.zip", "0" * 16, TIME, TIME)
    report(lambda: split(SplitRequest(run, options, shards), SplitSettings(f"file://{folder}")))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def peer(folder: Path) -> None:
    """Read the table and join it with the names."""

    def read_and_join() -> pa.Table:
        table = arrow_csv.read_csv(
            folder / "work/by-name/tables/train.csv",
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(default_column_type=pa.string()),
        )
        names = arrow_csv.read_csv(
            folder / "names.csv", convert_options=arrow_csv.ConvertOptions(default_column_type=pa.string())
        )
        return names.join(table, "PetID", join_type="full outer")

    report(read_and_join)


if __name__ == "__main__":
    main()
