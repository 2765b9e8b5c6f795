"""Which files of a folder are new to a lake, and which are still being written."""

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from pixlake_cli.arrivals import Known, State, describe, find_new, scan, wait_for_whole

SECOND = 1_000_000_000


def test_images_and_tables_are_seen_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.JPG", "deep/Ü b.png", "t.csv", "notes.txt", "pixlake.json", ".git/x.png", ".part.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.JPG")
    found = scan(tmp_path)
    assert list(found) == ["a.JPG", "deep/Ü b.png", "t.csv"]
    assert found["a.JPG"].size == 2


def test_a_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert scan(tmp_path / "gone") == {}


def test_a_file_with_an_old_time_is_as_new_as_it_came(tmp_path: Path) -> None:
    before = time.time()
    (tmp_path / "a.png").write_bytes(b"1")
    os.utime(tmp_path / "a.png", (0, 0))
    assert scan(tmp_path)["a.png"].came.timestamp() >= before - 1


def test_what_a_run_took_is_new_again_only_when_it_changes() -> None:
    old, changed = State(1, SECOND), State(2, 2 * SECOND)
    assert find_new({"a.png": old}, {"a.png": old}, Known({})) == {}
    assert find_new({"a.png": changed}, {"a.png": old}, Known({})) == {"a.png": changed}


def test_what_the_lake_has_is_new_only_if_it_came_later() -> None:
    known = Known({"a.png": datetime.fromtimestamp(5, UTC)}, datetime.fromtimestamp(7, UTC))
    files = {
        **{"a.png": State(1, 5 * SECOND), "b.png": State(1, SECOND)},
        **{"old.csv": State(1, 7 * SECOND), "new.csv": State(1, 8 * SECOND)},
    }
    assert sorted(find_new(files, {}, known)) == ["b.png", "new.csv"]
    assert list(find_new({"a.png": State(1, 5 * SECOND + 1000)}, {}, known)) == ["a.png"]


def test_a_file_that_grows_is_left_for_later(tmp_path: Path) -> None:
    (tmp_path / "whole.png").write_bytes(b"1")
    (tmp_path / "grows.png").write_bytes(b"1")
    new = scan(tmp_path)
    done = threading.Event()

    def write() -> None:
        with (tmp_path / "grows.png").open("ab", buffering=0) as file:
            while not done.wait(0.01):
                file.write(b"1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert list(wait_for_whole(tmp_path, new, 0.2)) == ["whole.png"]
    finally:
        done.set()
        writer.join()


def test_one_file_is_named_and_many_are_counted() -> None:
    assert describe({"a.png": State(1, 1)}) == "a.png"
    assert describe({f"{number}.png": State(1, 1) for number in range(1_200)}) == "1,200 files"
