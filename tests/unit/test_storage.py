"""What S3 answers where a function may not list the bucket. The rest of storage is in tests/contract."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pixlake import storage
from pixlake.errors import AccessDenied


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


def test_a_denied_read_is_not_retried_and_names_both_possible_causes(forbidden: str) -> None:
    for read in (storage.read, storage.head, storage.exists, lambda uri: storage.read_range(uri, 0, 1)):
        with pytest.raises(AccessDenied, match="access is denied; or there is no such object"):
            read(forbidden)


def test_whether_a_denied_object_exists_is_asked_of_the_listing(
    forbidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for listed in ([], ["images/a.jpg"], ["images/a.jpg.bak"]):
        found = [[{"path": path} for path in listed]]
        monkeypatch.setattr("obstore.list", lambda *_, offset, found=found: found if offset == "images/a.jp" else [])
        assert storage.exists(forbidden) == (listed == ["images/a.jpg"])


def test_a_denied_write_says_so(forbidden: str) -> None:
    with pytest.raises(AccessDenied, match="access is denied"):
        storage.write(forbidden, b"x")
