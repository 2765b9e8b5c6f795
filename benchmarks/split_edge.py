"""Split at the edge of TABLE_MEMORY: tables that a stranger would shape to be largest in memory, each just below the
budget. Every peak is that of a process of its own; the claim is `Split below 1.5 GB whatever the upload`.

    python benchmarks/split_edge.py [SHAPE...]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pixlake.lake import Work
from pixlake.messages import ItemList, Options, Run, SplitRequest
from pixlake.settings import SplitSettings
from pixlake.steps.split import split
from pixlake.tables.room import TABLE_MEMORY

LIMIT_MEGABYTES = 1_500
FULL = int(0.95 * TABLE_MEMORY)
ROW, OFFSET, ARRAY, BLOCK = 48, 4, 512, 8 << 20
TIME = "2026-01-01T00:00:00Z"
Lines = Iterator[bytes]


def rows_of(columns: int, text: int) -> int:
    """Rows of so many columns, and of `text` bytes, that fill the budget."""
    blocks = (text + columns) / BLOCK
    return int(FULL // (ROW + (OFFSET + ARRAY * blocks) * columns + text))


def long_values() -> Lines:
    """Ten columns of 100 kB."""
    yield b"id," + b",".join(b"c%d" % column for column in range(10)) + b"\n"
    value = b",".join([b"x" * 100_000] * 10)
    yield from (b"%d,%s\n" % (row, value) for row in range(rows_of(11, 1_000_008)))


def longest_values() -> Lines:
    """Values and rows as long as they may be."""
    yield b"id,a,b\n"
    value = b"x" * (4 << 20)
    yield from (b"%d,%s,%s\n" % (row, value[:-99], value[:-99]) for row in range(rows_of(3, 8 << 20)))


def many_columns() -> Lines:
    """9,000 columns of one letter."""
    yield b"id," + b",".join(b"c%d" % column for column in range(9_000)) + b"\n"
    cells = b",".join([b"y"] * 9_000)
    yield from (b"%d,%s\n" % (row, cells) for row in range(rows_of(9_001, 9_008)))


def empty_cells() -> Lines:
    """9,000 columns of nothing: offsets alone."""
    yield b"id," + b",".join(b"c%d" % column for column in range(9_000)) + b"\n"
    yield from (b"%d%s\n" % (row, b"," * 9_000) for row in range(rows_of(9_001, 8)))


def distinct_keys() -> Lines:
    """Ids alone, each its own."""
    yield b"id\n"
    yield from (b"%08d\n" % row for row in range(rows_of(1, 8)))


def keys_and_values() -> Lines:
    """Distinct ids with twelve short values: a usual table."""
    yield b"id," + b",".join(b"c%d" % column for column in range(12)) + b"\n"
    cells = b",".join([b"abcd"] * 12)
    yield from (b"%08d,%s\n" % (row, cells) for row in range(rows_of(13, 56)))


def one_key() -> Lines:
    """All rows have one id, and name images."""
    yield b"id,image\n"
    yield from (b"7,a%07d.png\n" % row for row in range(rows_of(2, 13)))


def image_lists() -> Lines:
    """Cells that name half a million images each."""
    yield b"id,images\n"
    cell = b"a.png;" * 500_000
    yield from (b"%d,%s\n" % (row, cell) for row in range(rows_of(2, 3_000_008)))


def long_keys() -> Lines:
    """Ids of 10 kB, the same but for their ends."""
    yield b"id,a\n"
    yield from (b"%s%08d,b\n" % (b"k" * 10_000, row) for row in range(rows_of(2, 10_009)))


def json_keys() -> Lines:
    """JSON lines of 2,000 keys."""
    cells = b",".join(b'"k%d":"vv"' % key for key in range(2_000))
    yield from (b'{"id":%d,%s}\n' % (row, cells) for row in range(rows_of(2_001, 4_008)))


def quoted_lines() -> Lines:
    """Quoted values with line ends and quotes, which the quick reader leaves to the slow one."""
    yield b"id,a,b\n"
    value = b'"' + b'x""\n' * 250 + b'"'
    yield from (b"%d,%s,%s\n" % (row, value, value) for row in range(rows_of(3, 1_510)))


def two_bytes() -> Lines:
    """Latin-1, whose letters have two bytes in UTF-8."""
    yield b"id;a\n"
    yield from (b"%08d;%s\n" % (row, b"\xe9" * 200) for row in range(rows_of(2, 408)))


SHAPES: dict[str, Callable[[], Lines]] = {
    shape.__name__: shape
    for shape in (
        long_values, longest_values, many_columns, empty_cells, distinct_keys, keys_and_values, one_key, image_lists,
        long_keys, json_keys, quoted_lines, two_bytes,
    )
}  # fmt: skip


@click.command()
@click.argument("shapes", nargs=-1, type=click.Choice(list(SHAPES)))
@click.option("--measured", hidden=True, type=click.Path(path_type=Path))
def main(shapes: tuple[str, ...], measured: Path | None) -> None:
    """Print the peak memory of Split for each shape of table; exit with 1 if one is above the limit."""
    if measured:
        print(*measure(measured))
        return
    above = False
    for shape in shapes or SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{shape:16}", flush=True, end="")
            write(Path(folder), shape)
            command = [sys.executable, __file__, "--measured", folder]
            megabytes, *said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().split(" ", 1)
            above |= int(megabytes) > LIMIT_MEGABYTES
            print(f"{int(megabytes):>7,} MB  {said[0].strip()}", flush=True)
    sys.exit(int(above))


def write(folder: Path, shape: str) -> None:
    """The table, where Plan would have put it."""
    tables = folder / "work" / "edge" / "tables"
    tables.mkdir(parents=True)
    with (tables / ("a.jsonl" if shape == "json_keys" else "a.csv")).open("wb", buffering=1 << 20) as file:
        file.writelines(SHAPES[shape]())


def measure(folder: Path) -> tuple[int, str]:
    """The process's peak in MB, and what Split did."""
    work, run = Work(f"file://{folder}", "edge"), Run("edge", "pets", "s3://up/a.zip", "0" * 16, TIME, TIME)
    begun = time.monotonic()
    try:
        answer = split(SplitRequest(run, Options(), ItemList("", 0)), SplitSettings(work.lake))
        said = f"{answer.records:,} records, {answer.rejected:,} rejects"
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:90]}"
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) >> 10
    return peak, f"{time.monotonic() - begun:.0f} s, {said}"


if __name__ == "__main__":
    main()
