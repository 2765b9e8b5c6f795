"""Speed and memory of unpacking uploads, next to Info-ZIP's `unzip` on the same zip and disk.

    python -m benchmarks.unzip                 # a minute
    python -m benchmarks.unzip --full          # 4 GiB, 200,000 members
    python -m benchmarks.unzip --members 2000000 --bytes 2000000000 --plan-only
    python -m benchmarks.unzip --s3            # also from a bucket into another, on a real S3 server

Half of the bytes are like photographs (deflate gains nothing, so they are stored), half like text. `extract` is
measured as the state machine runs it, a process per core, and in one process; `unzip` has only one.
"""

import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True)
class Place:
    """An upload, and the lake that it is unpacked into, by their URIs; `where` marks them in the table."""

    upload: str
    lake: str
    where: str = ""


@click.command()
@click.option("--members", default=4_000, show_default=True, help="Images in the zip.")
@click.option("--bytes", "total", default=256 * _MIB, show_default=True, help="Bytes of all images, inflated.")
@click.option("--rounds", default=3, show_default=True, help="Times each program runs; the median counts.")
@click.option("--full", is_flag=True, help="4 GiB in 200,000 members.")
@click.option("--plan-only", is_flag=True, help="Leave out extraction.")
@click.option("--s3", is_flag=True, help="Then also over a real S3 server, which Go builds once.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to work; needs 3 times the bytes."
)
def main(members: int, total: int, rounds: int, full: bool, plan_only: bool, s3: bool, folder: Path | None) -> None:
    if full:
        members, total = 200_000, 4 << 30
    with tempfile.TemporaryDirectory(dir=folder) as work:
        path = Path(work) / "upload.zip"
        _in_process(_make_zip, path, members, total)
        size = path.stat().st_size
        runs = _ours(Place(f"file://{path}", f"file://{work}/lake"), rounds, plan_only)
        if not plan_only:
            runs.append(_median_run("unzip", lambda: _run_unzip(path), rounds))
        if s3:
            # each process that is measured imports this module, and the servers are large
            from benchmarks.buckets import UPLOADS, bucket_lake

            with bucket_lake(Path(work) / "s3") as lake:
                place = Place(f"{UPLOADS}/upload.zip", lake.uri, ", S3")
                with path.open("rb") as file:
                    storage.write_stream(place.upload, iter(lambda: file.read(_MIB), b""))
                path.unlink()
                runs += _ours(place, rounds, plan_only)
        _print(runs, size, total, members)


def _ours(place: Place, rounds: int, plan_only: bool) -> list[Run]:
    """Plan, and Extract by a process a core and by one."""
    runs = [Run(f"plan{place.where}", *_in_process(_measure_plan, place))]
    for workers in () if plan_only else (os.cpu_count() or 1, 1):
        name = f"extract, {workers} process{'es' if workers > 1 else ''}{place.where}"
        runs.append(_median_run(name, partial(_extract_all, place, workers), rounds))
    return runs


def _print(runs: list[Run], zip_bytes: int, total: int, members: int) -> None:
    title = f"{members:,} members, {total / _MIB:,.0f} MiB in a zip of {zip_bytes / _MIB:,.0f} MiB"
    table = Table("program", "seconds", "MiB/s", "members/s", "of unzip", f"peak MiB (< {_MEMORY_LIMIT})", title=title)
    peer = next((run.seconds for run in runs if run.name == "unzip"), None)
    for run in runs:
        ratio = f"{peer / run.seconds:.0%}" if peer and not run.name.startswith("plan") else ""
        rates = [f"{total / _MIB / run.seconds:,.0f}", f"{members / run.seconds:,.0f}"]
        table.add_row(run.name, f"{run.seconds:.2f}", *rates, ratio, f"{run.memory:.0f}")
    Console().print(table)


def _median_run(name: str, program: Callable[[], tuple[float, float]], rounds: int) -> Run:
    measured = [program() for _ in range(rounds)]
    return Run(name, median(seconds for seconds, _ in measured), max(memory for _, memory in measured))


def _extract_all(place: Place, workers: int) -> tuple[float, float]:
    """Processes start before the clock does, as Lambda's and the laptop's are warm."""
    lake = place.lake
    answer, shards = _planned(lake)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_peak_memory, range(workers * 4)))
        start = time.perf_counter()
        memory = max(pool.map(_extract_shard, [lake] * len(shards), [answer] * len(shards), shards))
        seconds = time.perf_counter() - start
    _delete_images(lake)
    return seconds, memory


def _delete_images(lake: str) -> None:
    if folder := storage.local_path(lake):
        shutil.rmtree(folder / "images")
    else:
        storage.delete([found.uri for found in storage.list_objects(f"{lake}/images/")])


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


def _measure_plan(place: Place) -> tuple[float, float]:
    request = PlanRequest("benchmark", "2026-01-01T00:00:00Z", Ingest(place.upload, experiment_id="benchmark"))
    start = time.perf_counter()
    answer = plan(request, PlanSettings(place.lake))
    seconds = time.perf_counter() - start
    storage.write(f"{place.lake}/answer.json", msgspec.json.encode(answer))
    return seconds, _peak_memory()


def _planned(lake: str) -> tuple[PlanAnswer, list[Shard]]:
    answer = msgspec.json.decode(storage.read(f"{lake}/answer.json"), type=PlanAnswer)
    return answer, msgspec.json.decode(storage.read(Work(lake, "benchmark").shards), type=list[Shard])


def _extract_shard(lake: str, answer: PlanAnswer, shard: Shard) -> float:
    done = extract(ExtractRequest(answer.run, shard), ExtractSettings(lake))
    assert done.extracted == shard.count
    return _peak_memory()


def _peak_memory(_: int = 0) -> float:
    """In MiB, of this program alone: what `getrusage` says begins with the memory of the process that started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


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
