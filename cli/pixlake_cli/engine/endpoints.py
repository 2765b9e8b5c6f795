"""The interpreter's Lambda and S3: one loopback server, with the lake's folder as the bucket.

Its address holds a random part, so that other programs on the machine cannot guess it.
"""

import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from pixlake import storage
from pixlake.errors import MissingObject, PixlakeError
from pixlake_cli.engine.sandbox import Answer

Invoke = Callable[[str, bytes], Answer]
BUCKET = "lake"


class Endpoints(ThreadingHTTPServer):
    """Passes invocations to `invoke(function name, payload)`, which may block; reads and writes objects of `lake`."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, lake: str, invoke: Invoke) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lake = lake
        self.invoke = invoke
        self.secret = secrets.token_urlsafe(16)
        self.url = f"http://127.0.0.1:{self.server_port}/{self.secret}"
        threading.Thread(target=self.serve_forever, name="endpoints", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the connections that a stopped interpreter breaks."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoints

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self._path():
            case ["2015-03-31", "functions", name, "invocations"]:
                answer = self.server.invoke(name.rpartition(":")[2], body)
                self._reply(200, answer.payload, {"X-Amz-Function-Error": "Unhandled"} if answer.failed else {})
            case _:
                self._reply(404)

    def do_GET(self) -> None:
        try:
            self._reply(200, storage.read(self._object()))
        except MissingObject as error:
            self._refuse(404, "NoSuchKey", error)
        except PixlakeError as error:
            self._refuse(500, "InternalError", error)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            storage.write(self._object(), body)
            self._reply(200)
        except PixlakeError as error:
            self._refuse(500, "InternalError", error)

    def _path(self) -> list[str]:
        """The request's path below the secret, decoded; empty where the secret is wrong."""
        _, secret, *parts = [unquote(part) for part in urlsplit(self.path).path.split("/")]
        return parts if secrets.compare_digest(secret.encode(), self.server.secret.encode()) else []

    def _object(self) -> str:
        bucket, *key = self._path() or [""]
        if bucket != BUCKET or not key or {"", ".", ".."} & set(key):
            raise MissingObject(f"{self.path} is not an object of the lake")
        return storage.join(self.server.lake, *key)

    def _refuse(self, status: int, code: str, error: PixlakeError) -> None:
        self._reply(status, f"<Error><Code>{code}</Code><Message>{escape(str(error))}</Message></Error>".encode())

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the engine shows progress itself."""
