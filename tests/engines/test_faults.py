"""A real S3 behind a proxy that spoils requests: what is asked is done all the same, or known not to be."""

from collections.abc import Iterator
from random import Random
from uuid import uuid4

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from pixlake import storage
from pixlake.errors import StorageError
from tests.doubles.aws import environment
from tests.servers.faults import FAULTS, Faults, faulty
from tests.servers.processes import NotHere
from tests.servers.real_s3 import make_bucket, open_s3

LARGE = Random(0).randbytes(20 << 20)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real S3's."""
    try:
        with open_s3(tmp_path_factory.mktemp("s3")) as reached:
            yield int(reached["AWS_ENDPOINT_URL"].rpartition(":")[2])
    except NotHere as reason:
        pytest.skip(f"NOT RUN: {reason}")


@pytest.fixture(params=FAULTS)
def faults(request: pytest.FixtureRequest) -> Faults:
    return Faults(0.3, [request.param])


@pytest.fixture
def bucket(port: int, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new one, reached with faults."""
    name = f"lake-{uuid4()}"
    for key, value in environment(f"http://127.0.0.1:{port}").items():
        monkeypatch.setenv(key, value)
    make_bucket(name)
    with faulty(port, faults) as spoiled:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{spoiled}")
        storage._bucket.cache_clear()
        yield f"s3://{name}"
    storage._bucket.cache_clear()


@retry(retry=retry_if_exception_type(StorageError), stop=stop_after_attempt(5), reraise=True)
def write_large(uri: str) -> None:
    """As often as a state is retried: an upload whose last answer is lost may be there or not."""
    storage.write_stream(uri, (LARGE[at : at + (1 << 20)] for at in range(0, len(LARGE), 1 << 20)))


def test_objects_are_whole_whatever_happens_to_requests(bucket: str, faults: Faults) -> None:
    small = {f"{bucket}/small/{number}": str(number).encode() * 100 for number in range(12)}
    for uri, data in small.items():
        storage.write(uri, data)
    write_large(f"{bucket}/large")
    assert {uri: storage.read(uri) for uri in small} == small
    assert storage.read_range(f"{bucket}/large", 7 << 20, 1000) == LARGE[7 << 20 : (7 << 20) + 1000]
    assert b"".join(storage.stream(f"{bucket}/large")) == LARGE
    assert {info.uri: info.size for info in storage.list_objects(f"{bucket}/small/")} == {
        uri: len(data) for uri, data in small.items()
    }
    storage.delete(list(small))
    assert [info.uri for info in storage.list_objects(f"{bucket}/")] == [f"{bucket}/large"]
    assert faults.hit.total() > 5
