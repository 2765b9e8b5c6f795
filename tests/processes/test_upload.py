"""`pixlake upload` to a real S3, interrupted and resumed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from pixlake.errors import AccessDenied, StorageError
from pixlake_cli import sending
from pixlake_cli.engine.inputs import find_uploads
from pixlake_cli.multipart import FINGERPRINT, Sent, Target, make_client, send
from pixlake_cli.packing import File, Packed, pack
from pixlake_cli.sending import deliver
from tests.servers.faults import Faults, Request, faulty
from tests.servers.processes import NotHere
from tests.servers.real_s3 import make_bucket, open_s3

KEY = "uploads/pets/pets.zip"
MIB = 1 << 20
DATA = random.Random(5).randbytes(29 * MIB + 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which it is reached, set here."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            with open_s3(tmp_path_factory.mktemp("s3")) as reached:
                for name, value in reached.items():
                    patch.setenv(name, value)
                yield reached
        except NotHere as reason:
            pytest.skip(f"NOT RUN: {reason}")


@pytest.fixture
def bucket(server: dict[str, str]) -> str:  # noqa: ARG001  # it is there
    name = f"uploads-{uuid4()}"
    make_bucket(name, versioned=True)
    return name


@pytest.fixture
def target(bucket: str) -> Target:
    return Target(make_client(boto3.client), bucket, KEY)


def chunked(data: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: (data[at : at + MIB] for at in range(0, len(data), MIB))


def put(target: Target, chunks: Callable[[], Iterable[bytes]], tell: Callable[[int], None] = lambda _: None) -> Sent:
    return send(target, chunks, len(DATA), {FINGERPRINT: "of these files"}, tell)


def interrupted(bucket: str) -> Callable[[], Iterable[bytes]]:
    """The bytes of two parts and a half, until S3 has one of them, and Ctrl-C."""

    def chunks() -> Iterator[bytes]:
        yield from (DATA[at : at + MIB] for at in range(0, 21 * MIB, MIB))
        while not there(bucket):
            time.sleep(0.02)
        raise KeyboardInterrupt

    return chunks


def content(bucket: str) -> bytes:
    found: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=KEY)["Body"].read()
    return found


def unfinished(bucket: str) -> list[dict[str, Any]]:
    return list(boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def there(bucket: str) -> int:
    """The bytes of parts that S3 has."""
    client = boto3.client("s3")
    return sum(
        part["Size"]
        for each in unfinished(bucket)
        for part in client.list_parts(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"]).get("Parts", [])
    )


def test_an_upload_is_what_was_sent_with_s3s_checksum_of_it(target: Target) -> None:
    told: list[int] = []
    sent = put(target, chunked(DATA), told.append)
    assert content(target.bucket) == DATA
    assert (sent.size, sent.sent, sent.parts, told[-1]) == (len(DATA), len(DATA), 4, len(DATA))
    head = target.client.head_object(Bucket=target.bucket, Key=KEY, ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["VersionId"]) == (sent.checksum, sent.version_id)
    assert sent.checksum.endswith("-4")


def test_the_same_upload_again_sends_only_what_is_missing(target: Target) -> None:
    with pytest.raises(KeyboardInterrupt):
        put(target, interrupted(target.bucket))
    kept = there(target.bucket)
    assert 0 < kept < len(DATA)
    sent = put(target, chunked(DATA))
    assert (sent.size - sent.sent, sent.anew) == (kept, False)
    assert content(target.bucket) == DATA
    assert unfinished(target.bucket) == []


def test_other_bytes_than_those_that_are_there_are_sent_anew(target: Target) -> None:
    with pytest.raises(KeyboardInterrupt):
        put(target, interrupted(target.bucket))
    changed = b"!" + DATA[1 : 8 * MIB] + b"!" + DATA[8 * MIB + 1 :]
    sent = put(target, chunked(changed))
    assert (sent.sent, sent.anew) == (len(changed), True)
    assert content(target.bucket) == changed


def test_of_a_network_that_breaks_all_the_time_the_right_bytes_come(bucket: str, server: dict[str, str]) -> None:
    kinds = ("503", "reset", "lost", "cut", "cut request")
    faults = Faults(0.3, kinds, seed=3)
    with faulty(int(server["AWS_ENDPOINT_URL"].rpartition(":")[2]), faults) as port:
        client = boto3.Session().client
        far = make_client(lambda name, **given: client(name, endpoint_url=f"http://127.0.0.1:{port}", **given))
        sent = put(Target(far, bucket, KEY), chunked(DATA))
    assert faults.hit.total() > 0
    assert content(bucket) == DATA
    assert sent.size == len(DATA)


class Wrong:
    """A client whose answers to one method are another's."""

    def __init__(self, client: Any, method: str, answer: Callable[[Any], Any]) -> None:
        self._client, self._method, self._answer = client, method, answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return (lambda **given: self._answer(found(**given))) if name == self._method else found


def test_a_checksum_that_is_not_ours_is_an_error(target: Target) -> None:
    def forge(answer: dict[str, Any]) -> dict[str, Any]:
        return answer | {"ChecksumSHA256": "another-4"}

    wrong = Target(Wrong(target.client, "complete_multipart_upload", forge), target.bucket, KEY)
    with pytest.raises(StorageError, match="checksum of it is another-4"):
        put(wrong, chunked(DATA))


def packed(folder: Path, data: bytes) -> Packed:
    path = folder / "pets.zip"
    path.write_bytes(data)
    status = path.stat()
    return Packed("pets.zip", [File("", path, (status.st_size, status.st_mtime_ns))], len(data), as_it_is=True)


def test_a_token_that_expires_says_what_to_do_and_what_is_kept(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def expire(answer: Any) -> Any:
        nonlocal count
        count += 1
        if count > 2:
            error = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}
            raise ClientError(error, "UploadPart")
        return answer

    upload = packed(tmp_path, DATA)
    plain = make_client
    with monkeypatch.context() as patch:
        patch.setattr(sending, "make_client", lambda client: Wrong(plain(client), "upload_part", expire))
        with pytest.raises(AccessDenied, match=r"expired\. Log in again.* MiB are kept, and the same command again"):
            deliver(upload, bucket, KEY, boto3.client)
    sent = deliver(upload, bucket, KEY, boto3.client).sent
    assert sent.sent < sent.size
    assert content(bucket) == DATA


def test_an_object_that_is_complete_is_not_sent_again(bucket: str, tmp_path: Path) -> None:
    upload = packed(tmp_path, DATA[: 9 * MIB])
    first = deliver(upload, bucket, KEY, boto3.client)
    again = deliver(upload, bucket, KEY, boto3.client)
    assert (first.there, again.there, again.sent.sent) == (False, True, 0)
    assert (again.sent.version_id, again.sent.checksum) == (first.sent.version_id, first.sent.checksum)
    changed = deliver(packed(tmp_path, DATA[: 9 * MIB] + b"!"), bucket, KEY, boto3.client)
    assert (changed.there, changed.sent.anew) == (False, False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five parts."""
    home = tmp_path_factory.mktemp("folder") / "pets"
    home.mkdir()
    for number in range(2):
        noise = random.Random(number).randbytes(2_600 * 2_600 * 3)
        Image.frombytes("RGB", (2_600, 2_600), noise).save(home / f"{number}.png", compress_level=0)
    return home


def command(folder: Path, bucket: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "pixlake_cli", "upload", str(folder), "--bucket", bucket, "--json", *more]


class Stuck(Faults):
    """The first part arrives, and no other."""

    stall = 600.0

    def choose(self, request: Request) -> str:
        return "stall" if re.search(rb"partNumber=[2-9]", request.head) else ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_again_ends_what_was_killed(
    folder: Path, bucket: str, server: dict[str, str], number: signal.Signals
) -> None:
    with faulty(int(server["AWS_ENDPOINT_URL"].rpartition(":")[2]), Stuck(1.0)) as port:
        process = subprocess.Popen(
            command(folder, bucket),
            env=os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            # in the background of a shell it is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        while process.poll() is None and not there(bucket):
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command again sends the rest" in said
    kept = there(bucket)
    assert kept
    done = subprocess.run(command(folder, bucket), capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["size"] - result["sent"] >= kept
    assert result["sent"] < result["size"]
    (upload,) = find_uploads([folder], folder.parent / "lake", None)
    assert content(bucket) == b"".join(pack(upload).chunks())


def test_a_bucket_in_another_region_is_found(bucket: str, tmp_path: Path) -> None:
    sent = deliver(packed(tmp_path, DATA), bucket, KEY, boto3.Session(region_name="eu-west-1").client).sent
    assert (content(bucket), sent.size) == (DATA, len(DATA))
