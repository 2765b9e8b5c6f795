"""A workbook that gets hold of its reader can compute, within its time and its memory, and nothing else."""

import sys
from pathlib import Path

import pytest

from pixlake.errors import BadTable
from pixlake.tables import workbook
from pixlake.tables.room import Room
from pixlake.tables.workbook import Workbooks
from tests.doubles import rogue_sheets

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux confines a reader")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("open('/etc/hostname'); os._exit(7)", "with 1;"),
        ("socket.socket().connect(('127.0.0.1', 9)); os._exit(7)", "with 1;"),
        ("os.fork(); os._exit(7)", "with 1;"),
        ("os.execv('/bin/true', ['true'])", "with 1;"),
        ("os._exit(7)", "with 7;"),
        ("while True: pass", "more than 1 seconds"),
        ("bytearray(2 << 30)", "bytes of memory"),
    ],
)
def test_a_reader_reaches_nothing_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(workbook, "sheets", rogue_sheets)
    (tmp_path / "a.xlsx").write_text(program)
    with pytest.raises(BadTable, match=words):
        Workbooks(seconds=1).read("a.xlsx", f"file://{tmp_path}/a.xlsx", Room())
