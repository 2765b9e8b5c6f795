"""The memory that Embed's container takes for a large model, ViT-L/14 with random weights: 1.2 GB in float32.

A run of photograph-like JPEGs of one megapixel in the containers that `sam build` made, with the template's memory as
their limit. Meanwhile the proportional set size of all processes of the container is read, ten times a second: pages
that several share count once; those of the mapped weights, which the kernel may take back, do count.

    make build
    python -m benchmarks.large --images 32
"""

import json
import subprocess
import sys
import tempfile
import threading
import zipfile
from contextlib import suppress
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.embed import photograph, write_bundle
from benchmarks.transformer import VIT_L_14

FUNCTION, ROOT = "EmbedFunction", Path(__file__).resolve().parents[1]


class Peak(threading.Thread):
    """Reads the memory of the function's containers until `stop`."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ended = threading.Event()
        self.limit = self.bytes = 0

    def run(self) -> None:
        """Keep the largest sum."""
        while not self._ended.wait(0.1):
            for limit, root in _containers():
                self.limit, self.bytes = limit, max(self.bytes, _memory(root))

    def stop(self) -> None:
        """Read no more."""
        self._ended.set()
        self.join()


def _containers() -> list[tuple[int, int]]:
    """The limit of memory, and the first process, of each container of the function that runs."""
    running = _docker("ps", "--quiet", "--no-trunc")
    if not running:
        return []
    form = "{{.HostConfig.Memory}} {{.State.Pid}} {{.Config.Image}} {{.Config.Env}}"
    lines = _docker("inspect", "--format", form, *running.split()).splitlines()
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines if FUNCTION.lower() in line.lower()]


def _docker(*words: str) -> str:
    # a container may end in between
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False).stdout.strip()


def _memory(root: int) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_full_info().pss
    return total


def execute(folder: Path, images: int) -> dict[str, object]:
    """The result of a run of as many images."""
    name, upload = write_bundle(folder / "lake", VIT_L_14), folder / "photographs.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        for number in range(images):
            archive.writestr(f"{number:04d}.jpg", photograph(number, (1200, 900)))
    pixlake: list[str | Path] = [sys.executable, "-m", "pixlake_cli", "run", upload, "--lake", folder / "lake"]
    options = ["--embedder", name, "--containers", "--json"]
    done = subprocess.run([*pixlake, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@click.command()
@click.option("--images", default=32, show_default=True)
def main(images: int) -> None:
    """Embed images by ViT-L/14 in Embed's container and print what it took."""
    peak = Peak()
    with tempfile.TemporaryDirectory() as temporary:
        peak.start()
        try:
            found = execute(Path(temporary), images)
        finally:
            peak.stop()
    grid = Table("embedded", "rejected", "peak", "limit", title=f"{VIT_L_14.name} in the container of {FUNCTION}")
    grid.add_row(
        *map(str, (found["embedded"], found["rejected"])), *(f"{each >> 20:,} MiB" for each in (peak.bytes, peak.limit))
    )
    Console().print(grid)


if __name__ == "__main__":
    main()
