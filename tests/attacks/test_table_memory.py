"""A small table that is large in memory: what Split takes for it is measured, in a process of its own."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.builders.split_inputs import Upload

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """A process a task, that has imported what Split needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.builders.split_inputs", "pixlake.steps.split"])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        yield pool


def grow(folder: Path) -> int:
    """Megabytes by which Split grows this process at its peak."""
    before = _peak()
    Upload(folder).split(shards=0)
    return _peak() - before


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def many_keys(number: int) -> bytes:
    return b'{"id":%d,' % number + b",".join(b'"%d":%d' % (key, number) for key in range(5_000)) + b"}\n"


@pytest.mark.parametrize(
    ("path", "data", "reasons"),  # made in the test, as hundreds of megabytes would stay with every worker
    [
        ("a.csv", lambda: b"id,a\n" + b"a\n" * 2_000_000, ["unreadable_table"]),
        ("a.jsonl", lambda: b"1\n" * 2_000_000, ["unreadable_table"]),
        ("a.csv", lambda: b"id,a\n1," + b"x" * 100_000_000 + b"\n2,y\n", ["too_long"]),
        ("a.csv", lambda: b'id,a\n1,"' + b"x\n" * 10_000_000 + b'"\n2,y\n', ["unreadable_table"]),
        ("a.jsonl", lambda: b'{"id":1,"a":"' + b"x" * 100_000_000 + b'"}\n{"id":2}\n', ["too_long"]),
        ("a.jsonl", lambda: b"".join(many_keys(number) for number in range(100)), []),
    ],
    ids=["ragged rows", "no objects", "one value", "one value of lines", "one line", "many keys"],
)
def test_a_table_takes_little_memory_whatever_is_in_it(
    upload: Upload, processes: ProcessPoolExecutor, path: str, data: Callable[[], bytes], reasons: list[str]
) -> None:
    upload.put_table(path, data())
    upload.put_table("good.csv", "id,name\ngood,a\n")
    assert processes.submit(grow, upload.folder).result() < 200
    assert [reject.reason for reject in upload.rejects()] == reasons
    assert "good" in [record["record_id"] for record in upload.records()]
