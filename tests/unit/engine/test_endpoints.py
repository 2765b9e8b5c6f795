"""The loopback server as the interpreter's clients see it."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pixlake_cli.engine.endpoints import Endpoints
from pixlake_cli.engine.sandbox import Answer, failure


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def endpoints(folder: Path) -> Iterator[Endpoints]:
    def invoke(function: str, payload: bytes) -> Answer:
        return failure("KeyError", "as told") if function == "BadFunction" else Answer(payload)

    server = Endpoints(f"file://{folder}", invoke)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(endpoints: Endpoints) -> Any:
    def make(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoints.url,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return make


@pytest.mark.parametrize("name", ["GoodFunction", "arn:aws:lambda:us-east-1:123456789012:function:GoodFunction"])
def test_an_invocation_is_answered(client: Any, name: str) -> None:
    answer = client("lambda").invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert "FunctionError" not in answer
    assert answer["Payload"].read() == b'{"a": 1}'


def test_a_failed_invocation_is_marked(client: Any) -> None:
    answer = client("lambda").invoke(FunctionName="BadFunction", Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert b"KeyError" in answer["Payload"].read()


def test_the_lakes_folder_is_the_bucket(client: Any, folder: Path) -> None:
    s3 = client("s3")
    s3.put_object(Bucket="lake", Key="work/a b/ä.json", Body=b"[1]")
    assert (folder / "work" / "a b" / "ä.json").read_bytes() == b"[1]"
    assert s3.get_object(Bucket="lake", Key="work/a b/ä.json")["Body"].read() == b"[1]"


@pytest.mark.parametrize(("bucket", "key"), [("lake", "nothing"), ("other", "app.py"), ("lake", "a/../../etc/passwd")])
def test_a_missing_object_is_answered_404(client: Any, bucket: str, key: str) -> None:
    with pytest.raises(ClientError) as caught:
        client("s3").get_object(Bucket=bucket, Key=key)
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/lake/x.json"),
        ("GET", "/guess/lake/x.json"),
        ("GET", "/"),
        ("POST", "/guess/2015-03-31/functions/GoodFunction/invocations"),
    ],
)
def test_a_request_without_the_secret_is_answered_404(
    endpoints: Endpoints, folder: Path, method: str, path: str
) -> None:
    (folder / "x.json").write_text("secret")
    connection = HTTPConnection("127.0.0.1", endpoints.server_port)
    connection.request(method, path, body=b"{}" if method == "POST" else None)
    assert connection.getresponse().status == 404
    connection.close()
