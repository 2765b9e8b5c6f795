"""The whole pipeline on many images of the sample's kind: the time of each step, and inference's share.

The upload is `samples/emoji.zip` several times over: each copy has ids of its own and every picture's brightness is a
little different, so no two images are the same bytes. It is run by `pixlake run`. The time outside of the states is the
start and the end of the engine. With `--s3` the same upload is run again, from a bucket into a lake in another one.

    python -m benchmarks.pipeline --images 10000
    python -m benchmarks.pipeline --images 10000 --s3
"""

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import click
from PIL import Image, ImageEnhance
from rich.console import Console
from rich.table import Table

from benchmarks.buckets import UPLOADS, bucket_lake
from pixlake import storage
from tests.engines.stacks import put_models
from tests.project import ROOT

SAMPLE = ROOT / "samples" / "emoji.zip"
TABLE, ID_COLUMN, OPTIONS = "emoji.csv", "code", "pixlake.json"
INFERENCE, LIMIT_PERCENT = "Infer", 80


def build(target: Path, images: int) -> int:
    """Write the upload with at least `images` images; returns their number."""
    with zipfile.ZipFile(SAMPLE) as sample, zipfile.ZipFile(target, "w") as upload:
        names = [name for name in sample.namelist() if name.startswith("images/") and not name.endswith("/")]
        copies = -(-images // len(names))
        for copy in range(copies):
            for name in names:
                folder, _, file = name.rpartition("/")
                upload.writestr(f"{folder}/{prefix(copy)}{file}", variant(sample.read(name), copy, copies))
        upload.writestr(TABLE, repeat_table(sample.read(TABLE), copies), zipfile.ZIP_DEFLATED)
        upload.writestr(OPTIONS, sample.read(OPTIONS))
    return copies * len(names)


def prefix(copy: int) -> str:
    """The prefix of one copy's names and ids."""
    return f"c{copy:03d}_"


def variant(data: bytes, copy: int, copies: int) -> bytes:
    """The picture 0 to 20 % darker; a deliberately broken one as it is."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            changed = ImageEnhance.Brightness(image.convert("RGBA")).enhance(1 - 0.2 * copy / copies)
    except (OSError, SyntaxError, ValueError):
        return data
    buffer = io.BytesIO()
    changed.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def repeat_table(data: bytes, copies: int) -> str:
    """The sample's table, its rows once a copy, ragged ones as they are."""
    header, *rows = csv.reader(io.StringIO(data.decode()))
    column = header.index(ID_COLUMN)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for copy in range(copies):
        for row in rows:
            changed = [prefix(copy) + value if index == column and value else value for index, value in enumerate(row)]
            writer.writerow(changed)
    return buffer.getvalue()


def run(upload: Path, lake: Path) -> tuple[dict[str, float], float, dict[str, int]]:
    """Seconds by state, seconds from command to end, and the counts."""
    program = str(Path(sys.executable).with_name("pixlake"))
    return answered([program, "run", str(upload), "--lake", str(lake), "--json"])


def run_there(upload: Path, folder: Path) -> tuple[dict[str, float], float, dict[str, int]]:
    """The same from a bucket into a lake in another one, on a server with its files in `folder`."""
    with bucket_lake(folder) as lake:
        put_models(ROOT / "bundles", lake)
        storage.write(f"{UPLOADS}/{upload.name}", upload.read_bytes())
        request = {"upload_uri": f"{UPLOADS}/{upload.name}", "experiment_id": upload.stem}
        return answered([sys.executable, "-m", "benchmarks.buckets", lake.uri, json.dumps(request)])


def answered(command: list[str]) -> tuple[dict[str, float], float, dict[str, int]]:
    """What an execution's command tells in the last line of its output; a failed one ends this process."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    seconds = time.perf_counter() - start
    answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    if answer.get("status") != "SUCCEEDED":
        sys.exit(f"{command[:4]} failed with status {done.returncode}: {answer}")
    return answer["timings"], seconds, {key: answer[key] for key in ("images", "embedded", "predicted", "rejected")}


@click.command()
@click.option("--images", default=10_000, show_default=True, help="At least so many images.")
@click.option("--s3", is_flag=True, help="Then the same over a real S3 server, which Go builds once.")
def main(images: int, s3: bool) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        upload = folder / "many.zip"
        count = build(upload, images)
        _print("pixlake run", count, *run(upload, folder / "lake"))
        if s3:
            _print("the same over S3", count, *run_there(upload, folder / "s3"))


def _print(title: str, count: int, timings: dict[str, float], seconds: float, counts: dict[str, int]) -> None:
    console = Console(width=110)
    console.print(f"{title}, {count:,} images: " + ", ".join(f"{value:,} {key}" for key, value in counts.items()))
    table = Table()
    for column in ("step", "seconds", "share", "limit"):
        table.add_column(column, justify="left" if column == "step" else "right")
    rest = {"engine's start and end": seconds - sum(timings.values())}
    for step, took in {**timings, **rest}.items():
        limit = f">= {LIMIT_PERCENT} %" if step == INFERENCE else ""
        table.add_row(step, f"{took:.1f}", f"{100 * took / seconds:.0f} %", limit)
    table.add_row("from command to end", f"{seconds:.1f}", "100 %", "")
    console.print(table)


if __name__ == "__main__":
    main()
