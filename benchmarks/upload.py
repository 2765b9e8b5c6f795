"""`pixlake upload`'s way into S3 beside boto3's, on one real S3 (versitygw) of this machine, in turns.

Many small files as one zip that is made on the way, beside `upload_file` for each of them in a loop; and one large file
beside s3transfer's own upload of it. The check of the images is not part of it: `pixlake check` is measured by itself.

    python -m benchmarks.upload --files 2000 --mebibytes 512
    python -m benchmarks.upload --files 0 --mebibytes 4200 --turns 2   # 13 GB of disk
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import boto3

from pixlake_cli.engine.inputs import find_uploads
from pixlake_cli.packing import pack
from pixlake_cli.sending import deliver
from tests.servers.real_s3 import make_bucket, open_s3

_SMALL = 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--mebibytes", type=int, default=512)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixlake-upload-") as folder:
        home = Path(folder)
        with open_s3(home / "s3") as reached:
            os.environ.update(reached)
            client = boto3.client("s3")
            turns = arguments.turns
            if arguments.files:
                small = _make_small(home / "small", arguments.files)
                size = sum(path.stat().st_size for path in small)
                print(f"{len(small):,} files, {size / (1 << 20):,.0f} MiB")
                _compare(lambda to: _ours(home / "small", to), lambda to: _loop(client, small, to), size, turns)
            large = _make_large(home / "large.zip", arguments.mebibytes)
            print(f"one file of {arguments.mebibytes:,} MiB")
            _compare(
                lambda bucket: _ours(large, bucket),
                lambda bucket: client.upload_file(str(large), bucket, "large.zip"),
                large.stat().st_size,
                turns,
            )


def _make_small(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06d}.jpg").write_bytes(random.Random(number).randbytes(_SMALL))
    return sorted(folder.iterdir())


def _make_large(path: Path, mebibytes: int) -> Path:
    with path.open("wb") as file:
        for number in range(mebibytes):
            file.write(random.Random(number).randbytes(1 << 20))
    return path


def _ours(path: Path, bucket: str) -> None:
    (upload,) = find_uploads([path], path.parent / "lake", None)
    delivery = deliver(pack(upload), bucket, "uploads/bench/bench.zip", boto3.client)
    assert delivery.sent.sent == delivery.sent.size


def _loop(client: Any, files: list[Path], bucket: str) -> None:
    for path in files:
        client.upload_file(str(path), bucket, path.name)


def _compare(ours: Callable[[str], None], theirs: Callable[[str], None], size: int, turns: int) -> None:
    taken: dict[str, list[float]] = {"pixlake": [], "boto3": []}
    for _ in range(turns):
        for name, call in (("pixlake", ours), ("boto3", theirs)):
            bucket = f"bench-{uuid4()}"
            make_bucket(bucket)
            begun = time.perf_counter()
            call(bucket)
            taken[name].append(time.perf_counter() - begun)
            _empty(bucket)
    for name, seconds in taken.items():
        shown = ", ".join(f"{each:.2f}" for each in seconds)
        print(f"  {name:8} {median(seconds):7.2f} s ({shown}), {size / (1 << 20) / median(seconds):,.0f} MiB/s")
    print(f"  ratio    {median(taken['boto3']) / median(taken['pixlake']):.2f}")


def _empty(bucket: str) -> None:
    """Room on the disk for the next turn."""
    boto3.resource("s3").Bucket(bucket).objects.all().delete()


if __name__ == "__main__":
    main()
