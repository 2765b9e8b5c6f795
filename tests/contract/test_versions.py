"""An upload that is replaced during a run: every read is of the version that was planned, or none is."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer

from pixlake import storage
from pixlake.errors import BadUpload, MissingObject
from tests.builders.uploads import Bench
from tests.builders.zips import zipped
from tests.contract.served import serving
from tests.doubles.aws import environment

# of one size, so that only the content tells them apart
OLD, NEW = ({f"{n}.jpg": data * 5000 for n in range(4)} | {"pets.csv": b"id\n1\n"} for data in (b"old", b"new"))


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(f"http://{host}:{port}").items():
            patch.setenv(name, value)
        yield
    server.stop()


def bucket(versioned: bool) -> str:
    name = f"uploads-{uuid4()}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    if versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return f"s3://{name}"


@pytest.fixture
def versioned(request: pytest.FixtureRequest) -> str:
    """A bucket that keeps the versions of its objects, as the stack's uploads bucket does."""
    request.getfixturevalue("moto")
    return bucket(versioned=True)


@pytest.fixture(params=["folder", "served", "bucket"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Places that forget what was replaced."""
    if request.param == "bucket":
        request.getfixturevalue("moto")
        yield bucket(versioned=False)
    elif request.param == "folder":
        yield f"file://{tmp_path}"
    else:
        with serving(tmp_path) as endpoint, pytest.MonkeyPatch.context() as patch:
            patch.setenv("FILES_ENDPOINT", endpoint)
            storage._folder.cache_clear()
            yield f"file://{tmp_path}"
        storage._folder.cache_clear()


def images(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.endswith("jpg")}


def test_a_run_reads_the_version_that_was_planned(versioned: str) -> None:
    bench = Bench(versioned)
    answer = bench.plan(bench.put("a.zip", zipped(OLD)))
    assert answer.run.upload_version
    bench.put("a.zip", zipped(NEW))
    bench.extract(answer)
    assert (bench.images(), bench.reasons()) == (images(OLD), {})


def test_a_run_reads_the_version_that_its_event_named(versioned: str) -> None:
    bench = Bench(versioned)
    uri = bench.put("a.zip", zipped(OLD))
    version = storage.head(uri).version.id
    bench.put("a.zip", zipped(NEW))
    answer = bench.plan(uri, upload_version=version)
    assert answer.run.upload_version == version
    bench.extract(answer)
    assert (bench.images(), bench.reasons()) == (images(OLD), {})


def test_a_version_is_read_even_where_the_upload_was_deleted(versioned: str) -> None:
    bench = Bench(versioned)
    uri = bench.put("a.zip", zipped(OLD))
    version = storage.head(uri).version.id
    storage.delete([uri])
    bench.extract(bench.plan(uri, upload_version=version))
    assert bench.images() == images(OLD)


def test_two_versions_are_two_uploads(versioned: str) -> None:
    bench = Bench(versioned)
    uri = bench.put("a.zip", zipped(OLD))
    old = storage.head(uri).version.id
    bench.put("a.zip", zipped(NEW))
    assert bench.plan(uri).run.upload_id != bench.plan(uri, upload_version=old).run.upload_id


def test_a_missing_version_is_named_in_the_error(versioned: str) -> None:
    bench = Bench(versioned)
    uri = bench.put("a.zip", zipped(OLD))
    with pytest.raises(MissingObject, match="version none"):
        bench.plan(uri, upload_version="none")


def test_a_replaced_upload_is_refused_without_versioning(plain: str) -> None:
    bench = Bench(plain)
    answer = bench.plan(bench.put("a.zip", zipped(OLD)))
    bench.put("a.zip", zipped(NEW))
    with pytest.raises(BadUpload, match=r"changed: .*was replaced"):
        bench.extract(answer)


def test_an_upload_replaced_while_planned_is_refused_without_versioning(
    plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(plain)
    uri = bench.put("a.zip", zipped(OLD))
    head = storage.head

    def head_then_replace(asked: str, *version: str | None) -> storage.ObjectInfo:
        info = head(asked, *version)
        bench.put("a.zip", zipped(NEW))
        return info

    monkeypatch.setattr(storage, "head", head_then_replace)
    with pytest.raises(BadUpload, match=r"changed: .*was replaced"):
        bench.plan(uri)


def gathered(home: str, *changes: tuple[str, str | None]) -> str:
    """A listing of what events named: paths and versions."""
    lines = [
        {"path": path, "uri": f"{home}/images/pets/{path}", "uploaded_at": "2026-01-01T00:00:00Z", "version": version}
        for path, version in changes
    ]
    uri = f"{home}/uploads/pets/objects.gathered.jsonl"
    storage.write(uri, msgspec.json.Encoder().encode_lines(lines))
    return uri


def test_a_loose_image_overwritten_before_its_run_is_left_to_the_newer_event(versioned: str) -> None:
    uri = f"{versioned}/images/pets/a.jpg"
    storage.write(uri, b"old")
    old = storage.head(uri).version_id
    storage.write(uri, b"new")
    new = storage.head(uri).version_id
    assert Bench(versioned, execution_id="late").run(gathered(versioned, ("a.jpg", old))) == {}
    assert Bench(versioned, execution_id="now").run(gathered(versioned, ("a.jpg", new))) == {"a.jpg": b"new"}


def test_a_loose_image_overwritten_or_deleted_while_it_runs_is_read_as_its_event_named_it(versioned: str) -> None:
    bench = Bench(versioned)
    versions = []
    for name in ("a.jpg", "b.jpg"):
        storage.write(f"{versioned}/images/pets/{name}", b"old")
        versions.append((name, storage.head(f"{versioned}/images/pets/{name}").version_id))
    answer = bench.plan(gathered(versioned, *versions))
    storage.write(f"{versioned}/images/pets/a.jpg", b"new")
    storage.delete([f"{versioned}/images/pets/b.jpg"])
    bench.extract(answer)
    assert bench.images() == {"a.jpg": b"old", "b.jpg": b"old"}


def test_a_loose_image_that_was_deleted_is_no_reject(versioned: str) -> None:
    uri = f"{versioned}/images/pets/a.jpg"
    storage.write(uri, b"old")
    version = storage.head(uri).version_id
    storage.delete([uri])
    bench = Bench(versioned)
    assert bench.run(gathered(versioned, ("a.jpg", version))) == {}
    assert bench.rejects() == []
