"""What the pipeline asks of S3, of a server that is nobody's double."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import boto3
import pytest

from pixlake import storage
from pixlake.errors import ChangedObject, MissingObject, StorageError
from pixlake.iceberg.lakes import DATABASE, Lake
from pixlake.storage import Version
from pixlake_cli.engine import pool
from tests.builders.model_lakes import MODELS, image, make_lake, make_zip, rows
from tests.engines.stacks import Functions, ministack, put_models
from tests.servers.processes import NotHere, free_port
from tests.servers.real_s3 import make_bucket, open_s3

NAMES = [
    "a.jpg",
    "with space.jpg",
    "100%.jpg",
    "a%20b.jpg",
    "Ünï/日本 🐈.png",
    "a+b=c&d,e.jpg",
    "~t#x?.jpg",
    '"q"\\.jpg',
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which it is reached, set here."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            with open_s3(tmp_path_factory.mktemp("s3")) as reached:
                for name, value in reached.items():
                    patch.setenv(name, value)
                storage._bucket.cache_clear()
                yield reached
        except NotHere as reason:
            pytest.skip(f"NOT RUN: {reason}")
    storage._bucket.cache_clear()


@pytest.fixture
def bucket(server: dict[str, str]) -> str:  # noqa: ARG001  # it is there
    name = f"lake-{uuid4()}"
    make_bucket(name, versioned=True)
    return f"s3://{name}"


def test_of_writers_at_once_one_creates_the_object(bucket: str) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> bool:
        start.wait()
        return storage.create(f"{bucket}/one", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(8)))
    assert created.count(True) == 1
    assert storage.read(f"{bucket}/one") == str(created.index(True)).encode()


def test_a_large_object_goes_up_in_parts(bucket: str) -> None:
    data = Random(0).randbytes(20 << 20)
    storage.write_stream(f"{bucket}/large", (data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)))
    # the ETag of several parts
    etag = boto3.client("s3").head_object(Bucket=bucket.removeprefix("s3://"), Key="large")["ETag"]
    assert int(etag.strip('"').rpartition("-")[2]) > 1
    assert storage.sha256(f"{bucket}/large") == sha256(data).hexdigest()
    assert storage.read_range(f"{bucket}/large", 7 << 20, 100) == data[7 << 20 : (7 << 20) + 100]


def test_a_stream_that_breaks_leaves_no_object(bucket: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(12 << 20)
        raise StorageError("the source is gone")

    with pytest.raises(StorageError, match="gone"):
        storage.write_stream(f"{bucket}/broken", chunks())
    assert list(storage.list_objects(f"{bucket}/")) == []
    parts = boto3.client("s3").list_multipart_uploads(Bucket=bucket.removeprefix("s3://"))
    assert parts.get("Uploads", []) == []


def test_a_version_is_read_whatever_comes_after_it(bucket: str) -> None:
    uri = f"{bucket}/upload.zip"
    storage.write(uri, b"first of them")
    first = storage.head(uri)
    storage.write(uri, b"another")
    assert first.version_id
    assert storage.head(uri).version_id != first.version_id
    named = Version(first.version_id)
    assert storage.read_range(uri, 6, 2, named) == b"of"
    assert storage.read(uri) == b"another"
    with pytest.raises(MissingObject):
        storage.head(uri, "01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_a_version_is_read_even_where_the_object_was_deleted(bucket: str) -> None:
    uri = f"{bucket}/upload.zip"
    storage.write(uri, b"first of them")
    first = storage.head(uri).version
    storage.delete([uri])
    assert not storage.exists(uri)
    assert storage.read_range(uri, 0, 5, first) == b"first"


@pytest.mark.usefixtures("server")
def test_a_replaced_object_is_refused_where_there_are_no_versions() -> None:
    name = f"plain-{uuid4()}"
    make_bucket(name)
    uri = f"s3://{name}/upload.zip"
    storage.write(uri, b"first of them")
    first = storage.head(uri).version
    assert first.etag
    assert storage.read_range(uri, 0, 5, first) == b"first"
    storage.write(uri, b"another")
    with pytest.raises(ChangedObject):
        storage.read_range(uri, 0, 5, first)


def test_a_list_and_a_delete_go_beyond_a_thousand(bucket: str) -> None:
    uris = [f"{bucket}/work/{number:05d}" for number in range(2_345)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda uri: storage.write(uri, b"x"), uris))
    storage.write(f"{bucket}/other", b"x")
    assert sorted(info.uri for info in storage.list_objects(f"{bucket}/work/")) == uris
    storage.delete(uris)
    assert [info.uri for info in storage.list_objects(f"{bucket}/")] == [f"{bucket}/other"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_written_listed_and_read(bucket: str, name: str) -> None:
    uri = f"{bucket}/images/{name}"
    storage.write(uri, name.encode())
    assert storage.read(uri) == name.encode()
    assert [info.uri for info in storage.list_objects(f"{bucket}/images/")] == [uri]
    storage.delete([uri])
    assert not storage.exists(uri)


def test_a_whole_run_with_its_lake_there(server: dict[str, str], tmp_path: Path) -> None:
    """On the laptop's interpreter, with MiniStack's Glue: its own S3 is the only one that MiniStack's machines read."""
    models = make_lake(tmp_path / "models")
    assert models.folder
    lake = Lake.at("s3://whole-lake")
    for name in ("whole-lake", "whole-uploads"):
        make_bucket(name, versioned=True)
    members: dict[str, Any] = {f"{number:04d}.png": image((number % 256, 0, 0)) for number in range(60)}
    members |= {"pets.csv": "id,Age\n" + "".join(f"{number:04d},{number}\n" for number in range(80)), "bad.png": b"no"}
    upload = make_zip(tmp_path / "pets.zip", members)
    storage.write("s3://whole-uploads/uploads/pets/pets.zip", upload.read_bytes())
    with pytest.MonkeyPatch.context() as patch, on_glue(tmp_path, server, patch):
        put_models(models.folder / "models", lake)
        with Functions(lake, {**MODELS, "BatchRows": "16"}) as functions:
            given = {"upload_uri": "s3://whole-uploads/uploads/pets/pets.zip", "experiment_id": "pets"}
            outcome = functions.execute("whole", given)
        assert outcome.status == "SUCCEEDED", outcome
        found = {name: len(rows(lake, name, "pets")) for name in ("embeddings", "predictions", "records", "rejects")}
    assert found == {"embeddings": 60, "predictions": 80, "records": 80, "rejects": 1}


@contextmanager
def on_glue(folder: Path, s3: dict[str, str], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process and the functions find the catalog in a Glue that has the stack's database."""
    port = free_port()
    reached = {**s3, "AWS_ENDPOINT_URL_GLUE": f"http://127.0.0.1:{port}"}
    plain = pool.environment
    patch.setattr(pool, "environment", lambda *given: {**plain(*given), **reached})
    patch.setenv("AWS_ENDPOINT_URL_GLUE", reached["AWS_ENDPOINT_URL_GLUE"])
    with ministack(folder, port, "http://127.0.0.1:9"):
        boto3.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        yield
