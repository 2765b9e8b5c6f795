"""What goes over the sockets of decoders and of their nursery, written alike by both sides."""

import socket
from typing import Literal

JOB, ANSWER = "=IQ", "=cIQ"
"""Before a job: the bytes of its description, in JSON, and of its image. Before an answer: its kind, the bytes of its
text, in JSON, and of its pixels."""

PIXELS, REJECT, NUMPY_WANTED, TURN_WANTED, READY = b"p", b"r", b"n", b"t", b"s"
"""Kinds of answers: a job is done; the image cannot be used; another decoder is needed; a large image waits until it is
sent `TURN`; the first of all, with a list of what the decoder is not held to."""

TURN = b"g"

CHANNELS = 3
"""Bytes of a pixel: red, green, blue."""

Task = Literal["fit", "check", "shrink"]

REQUEST, REPLY = "=cq", "=q"
"""To the nursery: what to do, and the process id where it takes one. From it: the new decoder's process id, or how one
ended, as `os.waitpid` has it."""

FORK, FORK_WITH_NUMPY, KILL = b"f", b"n", b"k"


def receive(connection: socket.socket, size: int) -> bytes:
    """As many bytes, in one piece, for they are not copied once more; fewer where the other side is gone."""
    data = connection.recv(size, socket.MSG_WAITALL) if size else b""
    while len(data) < size and (more := connection.recv(size - len(data), socket.MSG_WAITALL)):
        data += more  # a signal had cut it short
    return data
