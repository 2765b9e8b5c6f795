"""What goes over the sockets of confined processes and of their nursery, written alike by both sides."""

import json
import socket
from struct import calcsize, pack, unpack
from typing import Any, NamedTuple

ANSWER = "=cIQ"
"""Before an answer: its kind, the bytes of its text, in JSON, and of its data."""

READY = b"s"
"""The kind of the first answer of all, whose text lists what the process is not held to."""

REQUEST, REPLY = "=cq", "=q"
"""To the nursery: what to do, and the process id where it takes one. From it: the new process's id, or how one ended,
as `os.waitpid` has it."""

FORK, FORK_PREPARED, KILL = b"f", b"n", b"k"
"""`FORK_PREPARED` forks after what only some jobs need was made ready."""


class Answer(NamedTuple):
    """Its kind, its text parsed, its data."""

    kind: bytes
    text: Any
    data: bytearray


def send_answer(connection: socket.socket, kind: bytes, text: Any = None, *data: Any) -> None:
    """`text` as JSON, and behind it the bytes-like `data`, one after another."""
    encoded = json.dumps(text).encode()
    size = sum(memoryview(each).nbytes for each in data)
    connection.sendall(pack(ANSWER, kind, len(encoded), size) + encoded)
    for each in data:
        connection.sendall(each)


def receive(connection: socket.socket, size: int) -> bytes:
    """As many bytes, in one piece, for they are not copied once more; fewer where the other side is gone."""
    data = connection.recv(size, socket.MSG_WAITALL) if size else b""
    while len(data) < size and (more := connection.recv(size - len(data), socket.MSG_WAITALL)):
        data += more  # a signal had cut it short
    return data


def receive_head(connection: socket.socket, layout: str) -> tuple[Any, ...] | None:
    """A head of this layout; None where the other side is gone."""
    head = receive(connection, calcsize(layout))
    return unpack(layout, head) if len(head) == calcsize(layout) else None
