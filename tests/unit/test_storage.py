"""What S3 answers where a function may not list the bucket. The rest of storage is in tests/contract."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pixlake import storage
from pixlake.errors import MissingObject


class Forbidding(BaseHTTPRequestHandler):
    """S3 with no permission at all."""

    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_ALLOW_HTTP": "true"}
    environment |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield f"s3://forbidden-{server.server_port}/images/a.jpg"
    server.shutdown()
    server.server_close()


def test_a_forbidden_object_is_missing_and_not_retried(forbidden: str) -> None:
    assert not storage.exists(forbidden)
    for read in (storage.read, storage.head, lambda uri: storage.read_range(uri, 0, 1)):
        with pytest.raises(MissingObject, match="denied"):
            read(forbidden)


def test_writing_where_one_may_not_says_so(forbidden: str) -> None:
    with pytest.raises(MissingObject, match="denied"):
        storage.write(forbidden, b"x")
