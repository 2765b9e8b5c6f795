"""Run in a container: programs in place of tables, and what became of each, a line of JSON."""

import json
import tempfile
from collections.abc import Callable

from pixlake.confined.processes import Processes
from pixlake.errors import BadTable
from pixlake.tables import workbook
from pixlake.tables.parquetfile import ParquetTables, Reader
from pixlake.tables.room import Room
from pixlake.tables.tablefile import TableFile
from pixlake.tables.workbook import Workbook, Workbooks
from tests.doubles import rogue_sheets

PROGRAMS = (
    "open('/etc/hostname'); os._exit(7)",
    "socket.socket().connect(('127.0.0.1', 9)); os._exit(7)",
    "os.fork(); os._exit(7)",
    "while True: pass",
    "bytearray(2 << 30)",
    "os._exit(7)",
)
Read = Callable[[str, str, Room], TableFile | Workbook]


def main() -> None:
    vars(workbook)["sheets"] = rogue_sheets
    processes = Processes("tests.doubles.rogue_parquet", Reader)
    for program in PROGRAMS:
        parquet = ParquetTables(seconds=1.0, processes=processes)
        print(json.dumps([program, _said(program, parquet.read), _said(program, Workbooks(seconds=1).read)]))
    processes.close()


def _said(program: str, read: Read) -> str:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(program)
        file.flush()
        try:
            read("a", f"file://{file.name}", Room())
        except BadTable as error:
            return str(error)
    return "read"


if __name__ == "__main__":
    main()
