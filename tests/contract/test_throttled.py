"""A store that takes only so many writes a second, as S3 does below a new prefix: Extract slows down and loses none."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.builders.uploads import Bench
from tests.builders.zips import zipped
from tests.doubles.aws import environment

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass
class Throttled:
    """An application behind a token bucket of PUTs, each beyond which is answered 503."""

    app: Any
    rate: float
    burst: float
    refused: int = 0
    _at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PUT" and not self._take():
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [_SLOW_DOWN]
        return self.app(environ, start_response)

    def _take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self.burst, self._at = min(10.0, self.burst + (now - self._at) * self.rate), now
            if self.burst < 1:
                self.refused += 1
                return False
            self.burst -= 1
            return True


@pytest.fixture
def throttled(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Throttled, str]]:
    """The store and a bucket in it."""
    store = Throttled(DomainDispatcherApplication(create_backend_app), rate=20, burst=10)
    server = make_server("127.0.0.1", 0, store, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in environment(f"http://127.0.0.1:{server.server_port}").items():
        monkeypatch.setenv(name, value)
    bucket = f"lake-{uuid4()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield store, f"s3://{bucket}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_extract_outlasts_a_store_that_answers_503_above_a_rate(throttled: tuple[Throttled, str]) -> None:
    store, uri = throttled
    images = {f"{number:03d}.png": str(number).encode() for number in range(40)}
    bench = Bench(uri)
    planned = bench.plan(bench.put("a.zip", zipped(images)))
    extracted = bench.extract(planned)
    assert store.refused > 0
    assert sum(answer.extracted for answer in extracted) == len(images)
    assert bench.images() == images
