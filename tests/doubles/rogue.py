"""A nursery whose decoders do what their image says: the Python in it, as if its bytes had got hold of them."""

import ctypes
import os
import socket
import time
from typing import Any

from PIL import Image

from pixlake.images import jobs, nursery
from pixlake.images.decoding import Picture

_AT_HAND = {"os": os, "socket": socket, "time": time, "ctypes": ctypes}


def main(number: int) -> None:
    jobs.work = _obey
    nursery.main(number)


def _obey(job: dict[str, Any], data: bytes, connection: socket.socket) -> tuple[Picture, Image.Image]:
    exec(data, {**_AT_HAND, "job": job, "connection": connection})
    pixels = Image.new("RGB", (1, 1))
    return Picture(pixels, 1, 1), pixels
