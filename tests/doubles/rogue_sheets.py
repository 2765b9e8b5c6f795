"""What reads a workbook, but does what it says: the Python in it, as if its bytes had got hold of the reader."""

import os
import socket
from typing import IO, Any

from pixlake.tables import sheets


def main(memory: int, seconds: int) -> None:
    vars(sheets)["load_workbook"] = _obey
    sheets.main(memory, seconds)


def _obey(book: IO[bytes]) -> Any:
    exec(book.read(), {"os": os, "socket": socket})
