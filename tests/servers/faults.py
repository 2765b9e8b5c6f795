"""A loopback proxy that does to requests what networks and stores do: refuses, resets, stalls and cuts them.

It stands before a server of S3's or Glue's protocol. A fault hits one request, whatever that is; the next try of the
same request may pass. Nothing is changed in what passes, so signatures hold.
"""

import asyncio
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

FAULTS = ("503", "429", "reset", "lost", "stall", "cut", "cut request")
"""Answers of an overloaded store; a connection reset before the server has the request, and after it has done it; a
request that waits; an answer, and a request, that ends in the middle."""
CONFLICT = "conflict"
"""Glue's answer to an update of a table that another came before. Only such requests are hit by it."""
_RESPONSES = {
    "503": (503, "SlowDown", "Please reduce your request rate."),
    "429": (429, "TooManyRequests", "Please reduce your request rate."),
    CONFLICT: (400, "ConcurrentModificationException", "Update table failed due to concurrent modifications."),
}


@dataclass
class Faults:
    """Which requests are hit: `rate` of them, by one of `kinds`, until `hit` has as many as `most`."""

    rate: float
    kinds: Sequence[str] = FAULTS
    stall_seconds: float = 1.0
    most: int | None = None
    seed: int = 0
    asked: int = 0
    hit: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def choose(self, request: "Request") -> str:
        """The fault of this request, empty for none."""
        self.asked += 1
        if self._random.random() >= self.rate or (self.most is not None and self.hit.total() >= self.most):
            return ""
        kind = self._random.choice(self.kinds)
        if kind == CONFLICT and not request.updates_table:
            return ""
        self.hit[kind] += 1
        return kind

    @property
    def stall(self) -> float:
        """Seconds that a stalled request waits."""
        return self._random.uniform(0, self.stall_seconds)


@dataclass(frozen=True)
class Request:
    """A request of HTTP/1.1: its head with the empty line at its end, and its body."""

    head: bytes
    body: bytes

    @property
    def updates_table(self) -> bool:
        return b".updatetable\r\n" in self.head.lower()

    @property
    def of_glue(self) -> bool:
        return b"x-amz-target:" in self.head.lower()


@contextmanager
def faulty(target: int, faults: Faults) -> Iterator[int]:
    """A port of loopback, for the length of the block: the server at the port `target`, with faults."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="faults", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(target, faults), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(target: int, faults: Faults) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read(reader, writer)) is not None and await _answer(
                request, writer, target, faults
            ):
                pass
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection, whole; None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.split(b"\r\n")
    # the body is asked for here, so that the server need not
    if any(line.lower().startswith(b"expect:") for line in lines):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"expect:", b"connection:"))]
    length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    head = b"\r\n".join([kept[0], b"Connection: close", *kept[1:]])
    return Request(head, await reader.readexactly(length))


async def _answer(request: Request, writer: asyncio.StreamWriter, target: int, faults: Faults) -> bool:
    """Answer one request; whether the connection takes another."""
    fault = faults.choose(request)
    if fault in _RESPONSES:
        writer.write(_refusal(request, *_RESPONSES[fault]))
        await writer.drain()
        return True
    if fault == "stall":
        await asyncio.sleep(faults.stall)
    if fault in ("reset", "cut request"):
        if fault == "cut request":
            await _send(target, request.head + request.body[: len(request.body) // 2], whole=False)
        return _reset(writer)
    answer = await _send(target, request.head + request.body)
    if fault == "lost":
        return _reset(writer)
    head, end, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    head = b"\r\n".join(lines) + end
    writer.write(head + body if fault != "cut" else head + body[: len(body) // 2] if body else head[: len(head) // 2])
    await writer.drain()
    return fault != "cut" and bool(answer)


def _refusal(request: Request, status: int, code: str, message: str) -> bytes:
    if request.of_glue:
        body = json.dumps({"__type": code, "message": message}).encode()
    else:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    if request.head.startswith(b"HEAD "):
        body = b""
    return b"HTTP/1.1 %d Refused\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


def _reset(writer: asyncio.StreamWriter) -> bool:
    """Close by a reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def _send(target: int, data: bytes, whole: bool = True) -> bytes:
    """The server's answer to these bytes; empty where they are not the whole request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read() if whole else b""
    finally:
        writer.close()
