"""A small process that decoders are forked from: Pillow and little else is in it, no thread and no secret.

`pixlake.images.decoders` starts it with an empty environment, and asks it over a socket. It ends with the process that
asked, and its decoders with it.
"""

import gc
import os
import signal
import socket
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from struct import calcsize, pack, unpack
from typing import NoReturn

from PIL import AvifImagePlugin

from pixlake.images.confinement import confine, die_with_parent
from pixlake.images.jobs import NumpyWanted, serve
from pixlake.images.wire import FORK_WITH_NUMPY, KILL, REPLY, REQUEST

# what decoding would import, for a decoder can open no file
for _format in ("Bmp", "Gif", "Jpeg2K", "Jpeg", "Mpo", "Png", "Ppm", "Qoi", "Tga", "Tiff", "WebP"):
    import_module(f"PIL.{_format}ImagePlugin")
_TEXT = ("ascii", "latin-1", "utf-16", "utf-16-be", "utf-16-le", "cp1252")


class _NoImports:
    """Finds nothing, and says where numpy was wanted."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name == "numpy":
            raise NumpyWanted
        return None


def main(number: int) -> None:
    """Do as asked over the socket of this number until it closes."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a decoder has a core
    for codec in _TEXT:
        "".encode(codec)
    gc.freeze()
    decoders: set[int] = set()
    with socket.socket(fileno=number) as asked:
        while True:
            request, files, _, _ = socket.recv_fds(asked, calcsize(REQUEST), 1)
            if len(request) < calcsize(REQUEST):
                break
            asked.sendall(pack(REPLY, _do(request, files, decoders, asked)))
    for each in decoders:
        os.kill(each, signal.SIGKILL)


def _do(request: bytes, files: list[int], decoders: set[int], asked: socket.socket) -> int:
    what, process = unpack(REQUEST, request)
    if what == KILL:
        decoders.remove(process)
        os.kill(process, signal.SIGKILL)
        return os.waitpid(process, 0)[1]
    if what == FORK_WITH_NUMPY:
        import numpy  # noqa: F401
    if not (process := os.fork()):
        _decode(files[0], asked)
    os.close(files[0])
    decoders.add(process)
    return int(process)


def _decode(number: int, asked: socket.socket) -> NoReturn:
    """What a decoder does, from its fork to its end."""
    try:
        die_with_parent()
        asked.close()
        os.dup2(0, 2)  # what libraries say of an image
        sys.meta_path[:] = [_NoImports()]
        with socket.socket(fileno=number) as connection:
            serve(connection, confine(number))
    finally:
        os._exit(1)
