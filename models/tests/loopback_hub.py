"""A model hub on loopback, as far as `huggingface_hub` asks one: a repository's description, and its files."""

import functools
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mmap import mmap
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Content = bytes | mmap


@dataclass
class Hub:
    """`repositories` are `{owner/name: {path: content}}`, large files mapped, `cards` what a repository's README says
    of it; `asked` are all requests. Once a longer file ends after `cut_after` bytes."""

    repositories: Mapping[str, Mapping[str, Content]]
    cards: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_after: int | None = None
    address: str = ""

    def describe(self, name: str) -> Any:
        files = [
            {
                "rfilename": path,
                "size": len(data),
                "lfs": {"sha256": _digest(data), "size": len(data), "pointerSize": 1},
            }
            for path, data in self.repositories[name].items()
        ]
        return {"id": name, "sha": COMMIT, "siblings": files, "cardData": self.cards.get(name, {})}


@contextmanager
def serving_hub(hub: Hub) -> Iterator[Hub]:
    """The hub at its `address`, for the length of the block."""

    class Handler(_Handler):
        def __init__(self, *arguments: Any) -> None:
            self.hub = hub
            super().__init__(*arguments)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        api = path.startswith("/api/models/")
        owner, repository, *rest = path.removeprefix("/api/models").strip("/").split("/")
        name = f"{owner}/{repository}"
        if name not in self.hub.repositories:
            self._fail("RepoNotFound")
        elif rest[1:2] not in ([], ["main"], [COMMIT]):
            self._fail("RevisionNotFound")
        elif api:
            self._send(json.dumps(self.hub.describe(name)).encode())
        elif (file := "/".join(rest[2:])) in self.hub.repositories[name]:
            self._send(self.hub.repositories[name][file])
        else:
            self._fail("EntryNotFound")

    def _fail(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: Content) -> None:
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", f'"{_digest(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(memoryview(data)[first : self._find_end(data)])

    def _find_end(self, data: Content) -> int:
        end = self.hub.cut_after
        if end is None or len(data) <= end or "/resolve/" not in self.path:
            return len(data)
        self.hub.cut_after = None
        self.close_connection = True
        return end

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@functools.lru_cache
def _digest(data: Content) -> str:
    return hashlib.sha256(data).hexdigest()
