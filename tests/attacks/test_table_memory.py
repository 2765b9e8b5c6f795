"""A small table that is large in memory: what Split takes for it is measured, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.split_inputs import Upload
from tests.project import ROOT

_SPLIT = """
import sys
from pathlib import Path
from tests.builders.split_inputs import Upload

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10

before = peak()
Upload(Path(sys.argv[1])).split(shards=0)
print(peak() - before)
"""


def megabytes(upload: Upload) -> int:
    """By which Split's process grows at its peak."""
    command = [sys.executable, "-c", _SPLIT, str(upload.folder)]
    return int(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")
@pytest.mark.parametrize(
    ("path", "data", "reasons"),
    [
        ("a.csv", b"id,a\n" + b"a\n" * 5_000_000, ["unreadable_table"]),
        ("a.jsonl", b"1\n" * 5_000_000, ["unreadable_table"]),
        ("a.csv", b"id,a\n1," + b"x" * 200_000_000 + b"\n2,y\n", ["too_long"]),
        ("a.csv", b'id,a\n1,"' + b"x\n" * 15_000_000 + b'"\n2,y\n', ["unreadable_table"]),
        ("a.jsonl", b'{"id":1,"a":"' + b"x" * 200_000_000 + b'"}\n{"id":2}\n', ["too_long"]),
        (
            "a.jsonl",
            b"".join(
                b'{"id":%d,' % n + b",".join(b'"%d":%d' % (k, n) for k in range(5_000)) + b"}\n" for n in range(300)
            ),
            [],
        ),
    ],
    ids=["ragged rows", "no objects", "one value", "one value of lines", "one line", "many keys"],
)
def test_a_table_takes_little_memory_whatever_is_in_it(
    upload: Upload, path: str, data: bytes, reasons: list[str]
) -> None:
    upload.put_table(path, data)
    upload.put_table("good.csv", "id,name\ngood,a\n")
    assert megabytes(upload) < 250
    assert [reject.reason for reject in upload.rejects()] == reasons
    assert "good" in [record["record_id"] for record in upload.records()]
