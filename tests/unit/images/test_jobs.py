"""What a decoder answers on its socket: pixels, or why there are none."""

import json
import socket
from struct import calcsize, pack, unpack
from threading import Thread
from typing import Any

import msgspec
import pytest
from PIL import Image

from pixlake.confined.wire import ANSWER, receive
from pixlake.images import jobs
from pixlake.images.wire import JOB, PIXELS, REJECT
from tests.builders.pictures import halves
from tests.builders.tiny import encode, spec

FIT = {"task": "fit", "max_pixels": 10_000, "large": 10_000, "preprocessing": msgspec.to_builtins(spec())}


def answers(description: dict[str, Any], data: bytes) -> tuple[bytes, Any, bytes]:
    """The kind, the text and the pixels that a job is answered with; the decoder ends with its socket."""
    ours, theirs = socket.socketpair()
    served = Thread(target=jobs.serve, args=(theirs,))
    served.start()
    with ours, theirs:
        text = json.dumps(description).encode()
        ours.sendall(pack(JOB, len(text), len(data)) + text + data)
        answer = _receive(ours)
        ours.shutdown(socket.SHUT_WR)
        served.join()
    return answer


def _receive(connection: socket.socket) -> tuple[bytes, Any, bytes]:
    kind, text, pixels = unpack(ANSWER, receive(connection, calcsize(ANSWER)))
    return kind, json.loads(receive(connection, text)), receive(connection, pixels)


def test_an_image_is_answered_with_its_size_and_its_pixels() -> None:
    kind, sizes, pixels = answers(FIT, encode(halves()))
    assert (kind, sizes, len(pixels)) == (PIXELS, [64, 48, 8, 8], 8 * 8 * 3)


def test_an_image_that_is_shrunk_keeps_its_proportions() -> None:
    kind, sizes, pixels = answers(
        {"task": "shrink", "max_pixels": 10_000, "large": 10_000, "side": 16}, encode(halves())
    )
    assert (kind, sizes, len(pixels)) == (PIXELS, [64, 48, 16, 12], 16 * 12 * 3)


def test_an_image_that_is_only_checked_is_answered_without_pixels() -> None:
    kind, sizes, pixels = answers({"task": "check", "max_pixels": 10_000, "large": 10_000}, encode(halves()))
    assert (kind, sizes, pixels) == (PIXELS, [64, 48, 64, 48], b"")


@pytest.mark.parametrize(("error", "reason"), [(MemoryError(), "too_large"), (ValueError("bad box"), "damaged")])
def test_what_fails_after_decoding_is_a_reason_too(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(*_: object) -> Image.Image:
        raise error

    monkeypatch.setattr(jobs, "resize", failing)
    kind, (found, detail), _ = answers(FIT, encode(halves()))
    assert (kind, found) == (REJECT, reason)
    assert detail
