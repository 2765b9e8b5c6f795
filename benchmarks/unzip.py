"""Speed and memory of unpacking uploads, next to Info-ZIP's `unzip` on the same zip and disk.

    python benchmarks/unzip.py                 # a minute
    python benchmarks/unzip.py --full          # 4 GiB, 200,000 members
    python benchmarks/unzip.py --members 2000000 --bytes 2000000000 --plan-only

Half of the bytes are like photographs (deflate gains nothing, so they are stored), half like text. `extract` is
measured as the state machine runs it, a process per core, and in one process; `unzip` has only one.
"""

import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from pixlake import storage
from pixlake.lake import Work
from pixlake.messages import ExtractRequest, Ingest, PlanAnswer, PlanRequest, Shard
from pixlake.settings import ExtractSettings, PlanSettings
from pixlake.steps.extract import extract
from pixlake.steps.plan import plan

_POOL_BYTES = 32 << 20
_WORDS = [b"label", b"cat", b"dog", b"left", b"right", b"0.5", b"1.25", b"null", b"true", b"\n"]
_MIB = 1 << 20
_MEMORY_LIMIT = 300

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Run:
    """One program over the zip: wall seconds, and the peak memory of its largest process in MiB."""

    name: str
    seconds: float
    memory: float


@click.command()
@click.option("--members", default=4_000, show_default=True, help="Images in the zip.")
@click.option("--bytes", "total", default=256 * _MIB, show_default=True, help="Bytes of all images, inflated.")
@click.option("--rounds", default=3, show_default=True, help="Times each program runs; the median counts.")
@click.option("--full", is_flag=True, help="4 GiB in 200,000 members.")
@click.option("--plan-only", is_flag=True, help="Leave out extraction.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to work; needs 3 times the bytes."
)
def main(members: int, total: int, rounds: int, full: bool, plan_only: bool, folder: Path | None) -> None:
    if full:
        members, total = 200_000, 4 << 30
    with tempfile.TemporaryDirectory(dir=folder) as work:
        path = Path(work) / "upload.zip"
        _in_process(_make_zip, path, members, total)
        runs = [_plan_run(path)]
        if not plan_only:
            workers = os.cpu_count() or 1
            programs = [(f"extract, {workers} processes", workers), ("extract, 1 process", 1), ("unzip", 0)]
            runs += [_median_run(name, path, count, rounds) for name, count in programs]
        _print(runs, path.stat().st_size, total, members)


def _print(runs: list[Run], zip_bytes: int, total: int, members: int) -> None:
    title = f"{members:,} members, {total / _MIB:,.0f} MiB in a zip of {zip_bytes / _MIB:,.0f} MiB"
    table = Table("program", "seconds", "MiB/s", "members/s", "of unzip", f"peak MiB (< {_MEMORY_LIMIT})", title=title)
    peer = next((run.seconds for run in runs if run.name == "unzip"), None)
    for run in runs:
        ratio = f"{peer / run.seconds:.0%}" if peer and run.name != "plan" else ""
        rates = [f"{total / _MIB / run.seconds:,.0f}", f"{members / run.seconds:,.0f}"]
        table.add_row(run.name, f"{run.seconds:.2f}", *rates, ratio, f"{run.memory:.0f}")
    Console().print(table)


def _plan_run(path: Path) -> Run:
    seconds, memory = _in_process(_measure_plan, path)
    return Run("plan", seconds, memory)


def _median_run(name: str, path: Path, workers: int, rounds: int) -> Run:
    measured = [_extract_all(path, workers) if workers else _run_unzip(path) for _ in range(rounds)]
    return Run(name, median(seconds for seconds, _ in measured), max(memory for _, memory in measured))


def _extract_all(path: Path, workers: int) -> tuple[float, float]:
    """Processes start before the clock does, as Lambda's and the laptop's are warm."""
    lake = _lake(path)
    answer, shards = _planned(lake)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_peak_memory, range(workers * 4)))
        start = time.perf_counter()
        memory = max(pool.map(_extract_shard, [lake] * len(shards), [answer] * len(shards), shards))
        seconds = time.perf_counter() - start
    shutil.rmtree(Path(lake.removeprefix("file://")) / "images")
    return seconds, memory


def _run_unzip(path: Path) -> tuple[float, float]:
    target = path.parent / "unzipped"
    start = time.perf_counter()
    process = subprocess.Popen(["unzip", "-q", "-o", str(path), "-d", str(target)])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit("unzip failed")
    shutil.rmtree(target)
    return seconds, usage.ru_maxrss / 1024


def _in_process(function: Callable[..., Measured], *arguments: object) -> Measured:
    """Run in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _measure_plan(path: Path) -> tuple[float, float]:
    lake = _lake(path)
    request = PlanRequest("benchmark", "2026-01-01T00:00:00Z", Ingest(f"file://{path}", experiment_id="benchmark"))
    start = time.perf_counter()
    answer = plan(request, PlanSettings(lake))
    seconds = time.perf_counter() - start
    storage.write(f"{lake}/answer.json", msgspec.json.encode(answer))
    return seconds, _peak_memory()


def _planned(lake: str) -> tuple[PlanAnswer, list[Shard]]:
    answer = msgspec.json.decode(storage.read(f"{lake}/answer.json"), type=PlanAnswer)
    return answer, msgspec.json.decode(storage.read(Work(lake, "benchmark").shards), type=list[Shard])


def _extract_shard(lake: str, answer: PlanAnswer, shard: Shard) -> float:
    done = extract(ExtractRequest(answer.run, shard), ExtractSettings(lake))
    assert done.extracted == shard.count
    return _peak_memory()


def _peak_memory(_: int = 0) -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _lake(path: Path) -> str:
    return f"file://{path.parent}/lake"


def _make_zip(path: Path, members: int, total: int) -> None:
    generator = random.Random(0)
    photos = generator.randbytes(_POOL_BYTES)
    text = b" ".join(generator.choices(_WORDS, k=_POOL_BYTES // 4))
    size = max(total // members, 1)
    with zipfile.ZipFile(path, "w", compresslevel=1) as archive:
        for number in range(members):
            pool, method = (photos, zipfile.ZIP_STORED) if number % 2 else (text, zipfile.ZIP_DEFLATED)
            info = zipfile.ZipInfo(f"photos/{number // 1000:04d}/{number:07d}.jpg")
            info.compress_type = method
            with archive.open(info, "w", force_zip64=size > 1 << 31) as member:
                _fill(member, pool, size, generator)


def _fill(member: IO[bytes], pool: bytes, size: int, generator: random.Random) -> None:
    while size > 0:
        start = generator.randrange(len(pool) - min(size, len(pool) // 2))
        size -= member.write(pool[start : start + min(size, len(pool) // 2)])


if __name__ == "__main__":
    main()
