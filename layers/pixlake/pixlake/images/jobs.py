"""A decoder's side of its socket: an encoded image comes in, pixels or the reason why not go out."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pixlake.confined.wire import receive, receive_head, send_answer
from pixlake.errors import BadImage
from pixlake.images.decoding import Picture, Size, decode, decode_stored, reasons
from pixlake.images.preprocessing import decode_for, resize
from pixlake.images.wire import JOB, NUMPY_WANTED, PIXELS, REJECT, TURN, TURN_WANTED

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from PIL import Image


class NumpyWanted(BaseException):
    """Deep grey values take numpy, which most decoders do without. No Exception: it is not the image's fault."""


def serve(connection: socket.socket) -> None:
    """Answer jobs until the socket closes."""
    while head := receive_head(connection, JOB):
        described, encoded = head
        job = json.loads(receive(connection, described))
        _answer(job, receive(connection, encoded), connection)


def _answer(job: dict[str, Any], data: bytes, connection: socket.socket) -> None:
    try:
        with reasons():
            picture, pixels = work(job, data, connection)
            size = (picture.width, picture.height, *pixels.size)
            packed = b"" if job["task"] == "check" else pixels.tobytes()
        send_answer(connection, PIXELS, size, packed)
    except BadImage as error:
        send_answer(connection, REJECT, [error.reason, error.detail])
    except NumpyWanted:
        send_answer(connection, NUMPY_WANTED)


def work(job: dict[str, Any], data: bytes, connection: socket.socket) -> tuple[Picture, Image.Image]:
    """The picture, and what of it is asked for."""

    @contextmanager
    def turn(size: Size) -> Iterator[None]:
        if size[0] * size[1] > job["large"]:
            send_answer(connection, TURN_WANTED, size[0] * size[1])
            receive(connection, len(TURN))
        yield

    most = job["max_pixels"]
    match job["task"]:
        case "fit" | "draw":
            wanted = cast("Any", SimpleNamespace(**job["preprocessing"]))
            wanted.background = tuple(wanted.background)
            picture = decode_for(data, wanted, most, turn)
            return picture, resize(picture, wanted) if job["task"] == "fit" else picture.pixels
        case "shrink":
            side = job["side"]
            picture = decode(data, max_pixels=most, least=lambda _: (side, side), turn=turn)
            picture.pixels.thumbnail((side, side))
            return picture, picture.pixels
        case _:
            picture = decode_stored(data, max_pixels=most, turn=turn)
            return picture, picture.pixels
