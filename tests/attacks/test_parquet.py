"""A Parquet table that gets hold of its reader, or makes it take too much, costs itself alone."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.confined.processes import Processes
from pixlake.errors import BadTable
from pixlake.tables.parquetfile import ParquetTables, Reader
from pixlake.tables.room import Room
from tests.builders.split_inputs import Upload

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux confines a reader")
NAMES = "send_answer(connection, wire.NAMES, ['a'])\n"
ROW = "send_answer(connection, wire.BATCH, [1, [0, 8, 1], []], bytes([0, 0, 0, 0, 1, 0, 0, 0]), b'x' + bytes(7))\n"


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes[Reader]]:
    started = Processes("tests.doubles.rogue_parquet", Reader)
    yield started
    started.close()


def read(processes: Processes[Reader], folder: Path, program: str, **limits: Any) -> list[str | None]:
    """What a reader that runs this program says is in the column `a`."""
    (folder / "a.parquet").write_text(program)
    tables = ParquetTables(**limits, processes=processes)
    texts: list[str | None] = tables.read("a.parquet", f"file://{folder}/a.parquet", Room()).columns["a"].to_pylist()
    return texts


def refusal(processes: Processes[Reader], folder: Path, program: str, **limits: Any) -> str:
    with pytest.raises(BadTable, match=r"^a\.parquet: ") as caught:
        read(processes, folder, program, **limits)
    assert read(processes, folder, NAMES + ROW) == ["x"], "the next table is read"
    return str(caught.value)


@pytest.mark.parametrize(
    "program",
    [
        "open('/etc/hostname')",
        "os.listdir('/')",
        "socket.socket().connect(('127.0.0.1', 9))",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 9)",
    ],
)
def test_a_reader_reaches_nothing_outside(processes: Processes[Reader], tmp_path: Path, program: str) -> None:
    assert "not permitted" in refusal(processes, tmp_path, program)


def test_a_reader_that_never_ends_is_ended(processes: Processes[Reader], tmp_path: Path) -> None:
    assert "takes more than 1 seconds" in refusal(processes, tmp_path, "while True: pass", seconds=1.0)


def test_the_seconds_are_of_all_tables_together(processes: Processes[Reader], tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("while True: pass")
    tables = ParquetTables(seconds=1.5, processes=processes)
    for seconds in ("2", "1"):
        with pytest.raises(BadTable, match=f"more than {seconds} seconds"):
            tables.read("a.parquet", f"file://{tmp_path}/a.parquet", Room())


def test_a_reader_that_eats_memory_gets_none(processes: Processes[Reader], tmp_path: Path) -> None:
    program = "[bytearray(100_000_000) for _ in range(30)]"
    assert "more memory than a table may have" in refusal(processes, tmp_path, program, memory=200_000_000)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os._exit(3)", "status 3"),
        ("connection.close()", "ended"),
        ("send_answer(connection, b'z')", "as no reader does"),
        (NAMES + NAMES, "no reader answers"),
        (ROW, "as no reader does"),
        ("send_answer(connection, wire.NAMES, ['a', 'a'])", "as no reader does"),
        ("send_answer(connection, wire.NAMES, ['\\ud800'])", "surrogates not allowed"),
        ("send_answer(connection, wire.NAMES, [1])", "as no reader does"),
        ("send_answer(connection, wire.BYTES_WANTED, [0, 1 << 40])", "beyond its file"),
        ("send_answer(connection, wire.BYTES_WANTED, [-1, 1])", "beyond its file"),
        (NAMES + "send_answer(connection, wire.BATCH, [1 << 40, [0, 8, 0], []], bytes(8))", "no reader answers"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 8], []], bytes(8))", "too few columns"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 4, 0], []], bytes(8))", "another length"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 8, 99], []], bytes(8))", "other sizes"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 8, -1], []], bytes(8))", "other sizes"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 8, 0], []], bytes([0, 0, 0, 0, 9, 0, 0, 0]))", "offset"),
        (NAMES + ROW.replace("b'x'", "bytes([255])"), "UTF8"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 4, 0], [[1, 'a', 'b']]], bytes(8))", "bad row"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 4, 0], [[0, 'A B', 'b']]], bytes(8))", "bad row"),
        (NAMES + "send_answer(connection, wire.BATCH, [1, [0, 4, 0], [[0, 'a', 'b']] * 2], bytes(8))", "a row twice"),
        ("connection.sendall(b'b' + bytes([0, 0, 0, 0]) + bytes([255] * 7) + bytes(1))", "more length"),
        ("connection.sendall(b'b' + bytes([1, 0, 0, 0]) + bytes(8) + b'x')", "Expecting value"),
    ],
)
def test_a_reader_that_dies_or_answers_nonsense_is_ended(
    processes: Processes[Reader], tmp_path: Path, program: str, words: str
) -> None:
    assert words in refusal(processes, tmp_path, program)


def test_bad_rows_that_a_reader_names_have_their_place_and_printable_words(
    processes: Processes[Reader], tmp_path: Path
) -> None:
    more = "send_answer(connection, wire.BATCH, [1, [0, 4, 0], [[0, 'odd', chr(0xD800) * 5_000]]], bytes(8))"
    (tmp_path / "a.parquet").write_text(NAMES + ROW + more)
    table = ParquetTables(processes=processes).read("a.parquet", f"file://{tmp_path}/a.parquet", Room())
    assert (table.rows.tolist(), [(each.row, each.detail) for each in table.faults.first]) == ([0], [(1, "?" * 1_000)])


def bomb(size: int) -> bytes:
    """One page that is so much larger than its file."""
    buffer = io.BytesIO()
    table = pa.table({"id": ["1"], "a": [b"a" * size]})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def test_a_page_bomb_costs_its_table_alone(upload: Upload) -> None:
    data = bomb(400_000_000)
    assert len(data) < 100_000
    upload.put_table("good.csv", "id,name\n1,a\n2,b\n")
    upload.put_table("bad.parquet", data)
    upload.split(shards=0, parquet_memory=100_000_000)
    assert [record["record_id"] for record in upload.records()] == ["1", "2"]
    (reject,) = upload.rejects()
    assert (reject.source, reject.reason) == ("bad.parquet", "unreadable_table")


def test_a_table_of_many_columns_takes_little_memory(upload: Upload) -> None:
    columns = {f"c{number}": ["x"] for number in range(3_000)}
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], **columns}), buffer)
    upload.put_table("wide.parquet", buffer.getvalue())
    upload.split(shards=0, parquet_memory=400_000_000)
    assert [len(record["attributes"]) for record in upload.records()] == [3_000]
