"""An HttpApi on loopback: each request becomes an event, and a gateway's answer the response."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

from pixlake.api.gateway import Gateway
from tests.builders.gateway import Asked, read_body

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")


@contextmanager
def serving(gateway: Gateway, payload: str = "2.0") -> Iterator[str]:
    """The address. One request at a time, as Lambda has it."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "host"}
            asked = Asked(self.command, self.path, body, headers)
            answer = gateway(asked.as_v1() if payload == "1.0" else asked.as_v2(), SimpleNamespace())
            content = b"" if self.command == "HEAD" else read_body(answer)
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                if name != "content-length":
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in METHODS:
        setattr(Handler, f"do_{method}", Handler.answer)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
