"""A server that strangers ask whatever they like refuses each of it, answers the others, and takes no more memory."""

import http.client
import io
import select
import socket
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import uvicorn
from PIL import Image

from pixlake.api.app import make_app
from pixlake.iceberg.lakes import Lake
from pixlake_cli import connections
from tests.builders.galleries import fill
from tests.builders.pictures import halves, png
from tests.builders.servers import PATIENCE, ask, serving
from tests.builders.tiny import encode

MOST_GROWTH = 64 << 20
HEAD = b"POST /classify HTTP/1.1\r\nHost: localhost\r\n"
Server = tuple[psutil.Process, int]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("attacked"))))


@pytest.fixture(scope="module")
def started(lake: Lake) -> Iterator[Server]:
    with serving(lake) as (process, address):
        yield psutil.Process(process.pid), int(address.rpartition(":")[2])


@pytest.fixture
def server(started: Server) -> Iterator[Server]:
    """It answers after each attack, and has not grown."""
    process, port = started
    answer_well(port)
    before = process.memory_info().rss
    yield started
    answer_well(port)
    assert process.memory_info().rss - before < MOST_GROWTH


def answer_well(port: int) -> None:
    answer = ask(f"http://127.0.0.1:{port}/classify", encode(Image.new("RGB", (60, 40), "red")), "image/png")
    assert answer["label"] == "red"


def post(port: int, body: bytes) -> int:
    """The status."""
    try:
        ask(f"http://127.0.0.1:{port}/classify", body, "image/png")
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        yield connection


def status(connection: socket.socket) -> int:
    """Of the answer that comes."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status


def send_until_answered(connection: socket.socket, piece: bytes) -> int:
    """Bytes sent, of a request that never ends."""
    sent = 0
    while not select.select([connection], [], [], 0)[0]:
        try:
            sent += connection.send(piece)
        except OSError:
            break
    return sent


def frames(kind: str) -> bytes:
    """A moving picture of thousands of frames."""
    target = io.BytesIO()
    first, *others = [Image.new("RGB", (4, 4), (n % 256, n // 256, 0)) for n in range(3_000)]
    first.save(target, kind, save_all=True, append_images=others, duration=1)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_seen(server: Server, kind: str) -> None:
    assert post(server[1], frames(kind)) == 200


def test_hostile_images_are_refused_again_and_again(server: Server) -> None:
    damaged = encode(halves())
    hostile = [
        (png(10_001, 10_001, 8, 0, bytes(10_002 * 10_001)), 413),
        (png(99_999_999, 1, 1, 0, bytes(12_500_001)), 413),
        (damaged[: len(damaged) * 2 // 3], 400),
        (b"%PDF-1.7\n" + bytes(100_000), 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400),
    ]
    for _ in range(5):
        assert [post(server[1], body) for body, _ in hostile] == [expected for _, expected in hostile]


def test_decoders_that_are_killed_are_replaced(server: Server) -> None:
    process, port = server
    children = process.children(recursive=True)
    assert children
    for child in children:
        child.kill()
    assert post(port, encode(halves())) == 200


@pytest.mark.parametrize(
    ("head", "piece"),
    [(HEAD, b"X: y\r\n" * 1_000), (HEAD, b"x" * 10_000), (b"GET /", b"a" * 10_000), (b"", b"\0" * 10_000)],
    ids=["headers", "a header", "a path", "nothing of HTTP"],
)
def test_a_head_without_end_is_refused(server: Server, head: bytes, piece: bytes) -> None:
    with connected(server[1]) as connection:
        connection.sendall(head)
        assert send_until_answered(connection, piece) < 20_000_000
        assert status(connection) == 400


def test_a_body_of_50_megabytes_is_refused_before_it_comes(server: Server) -> None:
    with connected(server[1]) as connection:
        connection.sendall(HEAD + b"Content-Length: 50000000\r\n\r\n")
        assert status(connection) == 413


def test_a_body_without_end_is_refused(server: Server) -> None:
    with connected(server[1]) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        assert send_until_answered(connection, b"3e8\r\n" + bytes(1_000) + b"\r\n") < 100_000_000
        assert status(connection) == 413


def test_a_body_without_end_that_nobody_asked_for_is_not_kept(server: Server) -> None:
    with connected(server[1]) as connection:
        connection.sendall(b"POST /none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert status(connection) == 404
        for _ in range(200):
            connection.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")


def test_those_who_send_no_body_keep_others_no_longer_than_they_are_there(server: Server) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(connected(server[1])) for _ in range(40)]
        for connection in held:
            connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n")
        answered: set[socket.socket] = set()
        while len(answered) < 8:
            answered |= set(select.select([each for each in held if each not in answered], [], [], PATIENCE)[0])
        assert {status(connection) for connection in answered} == {503}
        assert ask(f"http://127.0.0.1:{server[1]}/health")["status"] == "ok"


def test_connections_without_a_request_use_up_no_files(lake: Lake) -> None:
    """More than the process may have open: the oldest are closed."""
    with serving(lake) as (process, address), ExitStack() as stack:
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE, (256, 256))
        port = int(address.rpartition(":")[2])
        for _ in range(300):
            stack.enter_context(connected(port))
        answer_well(port)


@contextmanager
def impatient(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server in this process that waits for next to no time."""
    monkeypatch.setattr(connections, "SECONDS", 0.05)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(connections.configure(make_app(lake)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: local",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nG",
        b"POST /none HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half of a second one", "a body to no end"],
)
def test_a_connection_that_brings_no_request_is_closed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    with impatient(lake, monkeypatch) as port, connected(port) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while piece := connection.recv(10_000):
                received += piece
        except ConnectionResetError:
            pass
        assert received.count(b"HTTP/1.1") == sent.count(b"\r\n\r\n")


def test_answers_that_nobody_reads_are_given_up(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with impatient(lake, monkeypatch) as port, connected(port) as connection:
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50
        try:
            while True:
                connection.sendall(asked)
        except (ConnectionResetError, BrokenPipeError):
            pass
