"""A nursery whose readers do what their table says: the Python in it, as if its bytes had got hold of them."""

import ctypes
import os
import socket
from typing import Any

from pixlake.confined.wire import send_answer
from pixlake.tables import parquetjobs, parquetwire

_AT_HAND = {"os": os, "socket": socket, "ctypes": ctypes, "send_answer": send_answer, "wire": parquetwire}


def main(number: int) -> None:
    parquetjobs._send_rows = _obey
    parquetjobs.main(number)


def _obey(connection: socket.socket, job: dict[str, Any]) -> None:
    program = parquetjobs._RemoteFile(connection, job["size"]).read()
    exec(program, {**_AT_HAND, "job": job, "connection": connection})
