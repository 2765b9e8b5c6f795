"""A decoder's side of its socket: an encoded image comes in, pixels or the reason why not go out."""

from __future__ import annotations

import json
from contextlib import contextmanager
from struct import calcsize, pack, unpack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pixlake.errors import BadImage
from pixlake.images.decoding import LARGE_PIXELS, Picture, Size, decode, decode_stored, reasons
from pixlake.images.preprocessing import decode_for, resize
from pixlake.images.wire import ANSWER, JOB, NUMPY_WANTED, PIXELS, READY, REJECT, TURN, TURN_WANTED, receive

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from PIL import Image


class NumpyWanted(BaseException):
    """Deep grey values take numpy, which most decoders do without. No Exception: it is not the image's fault."""


def serve(connection: socket.socket, missing: list[str]) -> None:
    """Answer jobs until the socket closes; first of all goes out what this decoder was not held to."""
    _send(connection, READY, json.dumps(missing).encode())
    while head := receive(connection, calcsize(JOB)):
        described, encoded = unpack(JOB, head)
        job = json.loads(receive(connection, described))
        _answer(job, receive(connection, encoded), connection)


def _send(connection: socket.socket, kind: bytes, text: bytes, pixels: bytes = b"") -> None:
    connection.sendall(pack(ANSWER, kind, len(text), len(pixels)) + text)
    connection.sendall(pixels)


def _answer(job: dict[str, Any], data: bytes, connection: socket.socket) -> None:
    try:
        with reasons():
            picture, pixels = work(job, data, connection)
            size = json.dumps((picture.width, picture.height, *pixels.size)).encode()
            packed = b"" if job["task"] == "check" else pixels.tobytes()
        _send(connection, PIXELS, size, packed)
    except BadImage as error:
        _send(connection, REJECT, json.dumps([error.reason, error.detail]).encode())
    except NumpyWanted:
        _send(connection, NUMPY_WANTED, b"")


def work(job: dict[str, Any], data: bytes, connection: socket.socket) -> tuple[Picture, Image.Image]:
    """The picture, and what of it is asked for."""

    @contextmanager
    def turn(size: Size) -> Iterator[None]:
        if size[0] * size[1] > LARGE_PIXELS:
            _send(connection, TURN_WANTED, json.dumps(size[0] * size[1]).encode())
            receive(connection, len(TURN))
        yield

    most = job["max_pixels"]
    match job["task"]:
        case "fit":
            wanted = cast("Any", SimpleNamespace(**job["preprocessing"]))
            wanted.background = tuple(wanted.background)
            picture = decode_for(data, wanted, most, turn)
            return picture, resize(picture, wanted)
        case "shrink":
            side = job["side"]
            picture = decode(data, max_pixels=most, least=lambda _: (side, side), turn=turn)
            picture.pixels.thumbnail((side, side))
            return picture, picture.pixels
        case _:
            picture = decode_stored(data, max_pixels=most, turn=turn)
            return picture, picture.pixels
