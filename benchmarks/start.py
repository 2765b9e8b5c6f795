"""The time from the start of a process to its first answer, next to the libraries of the models.

ViT-B/32 of open_clip with random weights: a file of weights for the peer, a pushed bundle here. A predictor of
AutoGluon's for the records of models/tests/pets.py, with numbers, categories, texts and up to three photos, by the
networks of its preset medium_quality (MobileNetV3-Large and ELECTRA-small, random weights), and one for the numbers and
categories alone: its folder, and what `pixlake models compile` makes of it; then more rows from the table and the
photos. Each answer is from an image file or a row on disk, each peer a process of the models environment (`make
models`).

The file cache is warm, for both, unless `--cold` drops it before each start: the programs' and Python's files, too,
except those that this process maps, Python and rich. Both must give the same answer.

    python -m benchmarks.start --runs 5
    python -m benchmarks.start --runs 2 --cold
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
MODELS = ROOT / ".venv-models"
PREDICTORS = {"adoption": ("table, texts, photos", 200), "adoption-table": ("table alone", 1000)}
"""The inputs of each, and the number of rows after the first."""
_OURS, _PEERS = (ROOT / "benchmarks" / f"start_{whose}.py" for whose in ("ours", "peers"))
_SAME = 1e-3


@dataclass(frozen=True)
class Times:
    """Seconds from the process' start to its first answer, and for the rows after it; and the answer."""

    first: float
    rows: float | None
    answer: str


@dataclass(frozen=True)
class Contest:
    """The same request to two programs, and the limits for ours."""

    name: str
    ours: list[str]
    peer: list[str]
    most_seconds: float
    least_ratio: float
    rows: int = 0


def prepare(folder: Path) -> list[Contest]:
    """Models, bundles and inputs in `folder`."""
    # in a process of its own: files that this one imports stay in the file cache
    subprocess.run([sys.executable, _OURS, "photo", folder / "photo.jpg"], check=True, env=_offline())
    _peer("make", folder)
    lake = folder / "lake"
    for name in ("clip", *PREDICTORS):
        subprocess.run([_program("pixlake"), "models", "push", folder / name, "--lake", lake], check=True)
    ours, peer = [sys.executable, str(_OURS)], [str(MODELS / "bin" / "python"), "-W", "ignore", str(_PEERS)]
    uri, photo, table = lake.as_uri(), str(folder / "photo.jpg"), str(folder / "pets" / "pets.csv")
    return [
        Contest(
            "first vector, ViT-B/32",
            [*ours, "vector", uri, "clip", photo],
            [*peer, "vector", str(folder / "clip.pt"), photo],
            1.5,
            12,
        ),
        *(
            Contest(
                f"first prediction, {of}",
                [*ours, "prediction", uri, name, table, str(rows)],
                [*peer, "prediction", str(folder / "predictors" / name), table, str(rows)],
                1.0,
                25,
                rows,
            )
            for name, (of, rows) in PREDICTORS.items()
        ),
    ]


def start(command: list[str], folder: Path, *, cold: bool) -> Times:
    """Run the program to its end."""
    if cold:
        for place in (folder, MODELS, Path(sys.prefix), Path(sys.base_prefix), ROOT / "layers"):
            forget(place)
    first = rows = None
    answer = ""
    begun = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=_offline()) as process,
    ):
        # a library may print, too
        for line in process.stdout or ():
            if line.startswith("answer"):
                first = time.perf_counter() - begun
                answer = line.split()[1]
            elif line.startswith("seconds"):
                rows = float(line.split()[1])
        if process.wait() or first is None:
            said.seek(0)
            raise click.ClickException(said.read())
    return Times(first, rows, answer)


def check_same(one: str, other: str) -> None:
    """Two labels, or two numbers; they are of unit vectors."""
    try:
        same = abs(float(one) - float(other)) <= _SAME
    except ValueError:
        same = one == other
    if not same:
        raise click.ClickException(f"Pixlake answers {one}, the library {other}")


def forget(folder: Path) -> None:
    """Drop the system's cache of the files in a folder."""
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _peer(*arguments: str | Path) -> None:
    command = [MODELS / "bin" / "python", "-W", "ignore", _PEERS, *arguments]
    done = subprocess.run(command, check=False, env=_offline(), capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(done.stderr)


def _offline() -> dict[str, str]:
    roots = [ROOT, ROOT / "models", ROOT / "layers" / "pixlake", ROOT / "cli"]
    return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(map(str, roots))}


def _program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


@click.command()
@click.option("--runs", default=5, show_default=True, help="Starts of each program, in turns; medians are reported.")
@click.option("--cold", is_flag=True, help="Forget all files before each start.")
def main(runs: int, cold: bool) -> None:
    """Print seconds and ratios beside their limits."""
    table = Table(title=f"from process start to the first answer, file cache {'cold' if cold else 'warm'}")
    for column in ("", "Pixlake", "limit", "the library", "ratio", "limit"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for contest in prepare(folder):
            pairs = [[start(each, folder, cold=cold) for each in (contest.ours, contest.peer)] for _ in range(runs + 1)]
            for ours, peer in pairs:
                check_same(ours.answer, peer.answer)
            sides = list(zip(*pairs[1:], strict=True))  # the first fills the caches
            one, other = (statistics.median(each.first for each in side) for side in sides)
            limits = f"< {contest.most_seconds:g} s", f">= {contest.least_ratio:g}"
            table.add_row(contest.name, f"{one:.2f} s", limits[0], f"{other:.2f} s", f"{other / one:.1f}", limits[1])
            if contest.rows:
                one, other = (
                    statistics.median(contest.rows / each.rows for each in side if each.rows) for side in sides
                )
                table.add_row("rows/s after it", f"{one:,.0f}", "", f"{other:,.0f}", f"{one / other:.1f}", ">= 3")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
