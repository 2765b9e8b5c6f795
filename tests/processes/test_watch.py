"""`pixlake watch` as a process: what is there, comes, is overwritten and renamed, a broken run, and Ctrl-C."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.model_lakes import image, rows

PATIENCE = 180.0


class Watch:
    """A running command, whose lines are read as they come."""

    def __init__(self, folder: Path, lake: Path, log: Path) -> None:
        self.lake, self.log = Lake.at(str(lake)), log
        command = [sys.executable, "-m", "pixlake_cli", "watch", str(folder), "--lake", str(lake), "--gather", "0.5"]
        command += ["--experiment", "camera", "--set", "embedder=emoji-clip", "--set", "classifier.orphan="]
        with log.open("wb") as file:
            # where this runs in the background the interrupt is ignored, which a child inherits
            restore = signal.signal(signal.SIGINT, signal.default_int_handler)
            self.process = subprocess.Popen(command, stderr=file)
            signal.signal(signal.SIGINT, restore)

    def said(self, count: int) -> list[str]:
        """The lines of the runs, when there are so many."""
        until = time.monotonic() + PATIENCE
        while len(found := self.log.read_text().splitlines()[1:]) < count:
            assert time.monotonic() < until, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return found

    def interrupt(self) -> str:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 130
        return self.log.read_text().splitlines()[-1]

    def images(self) -> dict[str, str]:
        return {row["image_path"]: row["sha256"] for row in rows(self.lake, "embeddings", "camera")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "Ünï cam"
    found.mkdir()
    return found


@pytest.fixture
def watch(folder: Path, tmp_path: Path) -> Iterator[Watch]:
    (folder / "a b.png").write_bytes(image((1, 0, 0)))
    watching = Watch(folder, tmp_path / "lake", tmp_path / "log")
    yield watching
    watching.process.kill()
    watching.process.wait()


def test_a_folder_is_in_the_lake_as_it_changes_and_nothing_is_taken_twice(
    watch: Watch, folder: Path, tmp_path: Path
) -> None:
    assert "1 images" in watch.said(1)[0]
    first = watch.images()
    assert list(first) == ["a b.png"]
    (folder / "deep").mkdir()
    (folder / "deep/b.png").write_bytes(image((2, 0, 0)))
    (folder / "a b.png").write_bytes(image((3, 0, 0)))
    (folder / ".hidden.png").write_bytes(image((3, 0, 0)))
    assert "2 images" in watch.said(2)[1]
    second = watch.images()
    assert list(second) == ["a b.png", "deep/b.png"]
    assert second["a b.png"] != first["a b.png"]
    (folder / "bad.csv").write_text("")
    assert "failed" in watch.said(3)[2]
    (folder / "deep/b.png").rename(folder / "c.png")
    assert "1 images" in watch.said(4)[3]
    assert watch.images()["c.png"] == second["deep/b.png"]
    assert "Stopped" in watch.interrupt()
    (folder / "d.png").write_bytes(image((4, 0, 0)))
    again = Watch(folder, tmp_path / "lake", tmp_path / "again")
    try:
        assert "2 files" in again.said(1)[0], "the new image, and the table that failed"
        again.interrupt()
    finally:
        again.process.kill()
