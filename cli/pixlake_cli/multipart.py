"""One object sent in parts, several at once, which goes on where an interrupted attempt of the same bytes ended.

The store knows the attempt, so nothing is kept on this machine: an unfinished upload of the same key is looked for, and
each part is compared with the one there by its SHA-256. A part that differs means other bytes: they are sent anew. S3
compares each part that arrives with its checksum, and its checksum of the whole is compared with ours.
"""

import hashlib
import io
import threading
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from pixlake.errors import ChangedObject, StorageError
from pixlake_cli.stacks import Client, error_code

Tell = Callable[[int], None]
"""Hears how many bytes are there."""

FINGERPRINT = "pixlake-files"
"""The object's metadata that names the files of which it was made."""
_LEAST_PART = 8 << 20
_MOST_PARTS = 9_000  # S3 takes 10,000
_MOST_AT_ONCE, _MEMORY = 8, 256 << 20
_SHA256 = "SHA256"
PATIENCE = 600.0
"""Seconds without a connection after which it is given up."""
_LONGEST_WAIT = 20.0


@dataclass(frozen=True)
class Target:
    """An object to write."""

    client: Any
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Sent:
    """The object that is complete. Of its `size` bytes, `sent` were sent by this process, the others before; `checksum`
    is S3's, the SHA-256 of the parts' SHA-256s; `anew` says that what was there was of other bytes."""

    uri: str
    version_id: str | None
    size: int
    sent: int
    parts: int
    checksum: str
    anew: bool = False


@dataclass(frozen=True)
class _Part:
    number: int
    size: int
    etag: str
    checksum: str
    sent: bool


class _Other(ChangedObject):
    """A part that is there is of other bytes."""


class _Stopped(BaseException):
    """Ends a request that is under way; no Exception, for botocore would try again."""


def make_client(client: Client) -> Any:
    """S3's, for `send`: it tries a request a few times by itself."""
    patient = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=10, read_timeout=60)
    return client("s3", config=patient)


def part_size(bound: int) -> int:
    """Bytes of a part, in whole MiB: it follows from the upload, so that an interrupted one has the same parts."""
    return max(_LEAST_PART, -(-bound // (_MOST_PARTS << 20)) << 20)


def send(
    target: Target, chunks: Callable[[], Iterable[bytes]], bound: int, metadata: dict[str, str], tell: Tell
) -> Sent:
    """Send `chunks()`, of at most `bound` bytes, and complete the object. It may be called more than once, and is
    to give the same bytes.

    Raises botocore's errors, and StorageError where what S3 has is not what was sent. What was sent by then stays, and
    a second call goes on with it.
    """
    with _Sending(target, part_size(bound), tell) as sending:
        there = sending.find_unfinished()
        if there is not None:
            try:
                return sending.send(there, sending.list_parts(there), chunks(), metadata)
            except _Other:
                sending.forget()
        sent = sending.send(sending.begin(metadata), {}, chunks(), metadata)
        return replace(sent, anew=there is not None)


def find_object(target: Target, fingerprint: str) -> Sent | None:
    """The object, where it is complete and of these files; None too where that may not be asked."""
    try:
        head = target.client.head_object(Bucket=target.bucket, Key=target.key, ChecksumMode="ENABLED")
    except ClientError as error:
        # a HEAD has no body that would say more; the next request does
        if error_code(error) in ("404", "403", "400", "NoSuchKey", "AccessDenied"):
            return None
        raise
    if head["Metadata"].get(FINGERPRINT) != fingerprint:
        return None
    return Sent(target.uri, _version(head), head["ContentLength"], 0, 0, head.get("ChecksumSHA256", ""))


class _Sending:
    """Requests for one object, each of which is tried until there is a connection, or the block ends."""

    def __init__(self, target: Target, size: int, tell: Tell) -> None:
        self._target, self._size, self._tell = target, size, tell
        self._at_once = min(_MOST_AT_ONCE, max(2, _MEMORY // size))
        self._stopping, self._lock, self._done = threading.Event(), threading.Lock(), 0
        self._retrying = Retrying(
            retry=retry_if_exception_type((HTTPClientError, NoConnection, ResponseParserError)),
            wait=wait_random_exponential(0.5, _LONGEST_WAIT),
            stop=stop_after_delay(PATIENCE) | stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )

    def __enter__(self) -> "_Sending":
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()

    def forget(self) -> None:
        """What was there is of other bytes."""
        self._done = 0
        self._tell(0)

    def find_unfinished(self) -> str | None:
        """The id of the newest unfinished upload of this key; None too where that may not be asked."""
        place = {"Bucket": self._target.bucket, "Prefix": self._target.key}
        try:
            listed = self._ask(lambda: self._pages("list_multipart_uploads", "Uploads", place))
        except ClientError as error:
            if error_code(error).startswith("AccessDenied"):
                return None
            raise
        found = [
            each
            for each in listed
            if each["Key"] == self._target.key and each.get("ChecksumAlgorithm", _SHA256) == _SHA256
        ]
        return max(found, key=lambda each: each["Initiated"])["UploadId"] if found else None

    def list_parts(self, upload_id: str) -> dict[int, _Part]:
        """The parts that are there, by number; those without a SHA-256 are as if they were not."""
        place = {"Bucket": self._target.bucket, "Key": self._target.key, "UploadId": upload_id}
        listed = self._ask(lambda: self._pages("list_parts", "Parts", place))
        parts = [
            _Part(each["PartNumber"], each["Size"], each["ETag"], each.get("ChecksumSHA256", ""), sent=False)
            for each in listed
        ]
        return {part.number: part for part in parts if part.checksum}

    def begin(self, metadata: dict[str, str]) -> str:
        """The id of a new upload."""
        told = {"ChecksumAlgorithm": _SHA256, "ContentType": "application/zip", "Metadata": metadata}
        return str(self._call("create_multipart_upload", **told)["UploadId"])

    def send(self, upload_id: str, there: dict[int, _Part], chunks: Iterable[bytes], metadata: dict[str, str]) -> Sent:
        """Send what is not there, and complete the object; _Other where a part that is there is of other bytes."""
        pool = ThreadPoolExecutor(self._at_once)
        try:
            parts = list(self._put_all(pool, upload_id, there, chunks))
        except KeyboardInterrupt:
            # a request that waits for its answer is not waited for
            self._stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            if not self._stopping.is_set():
                pool.shutdown(cancel_futures=True)
        return self._complete(upload_id, parts, metadata)

    def _put_all(
        self, pool: ThreadPoolExecutor, upload_id: str, there: dict[int, _Part], chunks: Iterable[bytes]
    ) -> Iterator[_Part]:
        window = deque[Future[_Part]]()
        for number, data in enumerate(cut(chunks, self._size), 1):
            window.append(pool.submit(self._put, upload_id, number, data, there.get(number)))
            if len(window) > self._at_once:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()

    def _put(self, upload_id: str, number: int, data: bytes, there: _Part | None) -> _Part:
        checksum = b64encode(hashlib.sha256(data).digest()).decode()
        if there is not None:
            if (there.size, there.checksum) != (len(data), checksum):
                raise _Other(f"{self._target.uri}, part {number}")
            return self._arrived(there)
        told = {"UploadId": upload_id, "PartNumber": number, "ChecksumSHA256": checksum}
        answer = self._ask(lambda: self._request("upload_part", Body=_Body(data, self._stopping), **told))
        return self._arrived(_Part(number, len(data), answer["ETag"], checksum, sent=True))

    def _arrived(self, part: _Part) -> _Part:
        with self._lock:
            self._done += part.size
            self._tell(self._done)
        return part

    def _complete(self, upload_id: str, parts: list[_Part], metadata: dict[str, str]) -> Sent:
        digests = b"".join(b64decode(part.checksum) for part in parts)
        checksum = f"{b64encode(hashlib.sha256(digests).digest()).decode()}-{len(parts)}"
        size = sum(part.size for part in parts)
        listed = [{"PartNumber": each.number, "ETag": each.etag, "ChecksumSHA256": each.checksum} for each in parts]
        try:
            answer = self._call(
                "complete_multipart_upload",
                UploadId=upload_id,
                MultipartUpload={"Parts": listed},
                MpuObjectSize=size,
            )
        except ClientError as error:
            # the answer to an attempt that S3 did may have been lost
            found = find_object(self._target, metadata[FINGERPRINT]) if error_code(error) == "NoSuchUpload" else None
            if found is None:
                raise
            answer = {"VersionId": found.version_id, "ChecksumSHA256": found.checksum}
        if (said := answer.get("ChecksumSHA256") or checksum) != checksum:
            raise StorageError(
                f"{self._target.uri}: S3's checksum of it is {said}, that of what was sent {checksum}: send it again"
            )
        sent = sum(part.size for part in parts if part.sent)
        return Sent(self._target.uri, _version(answer), size, sent, len(parts), checksum)

    def _pages(self, method: str, field: str, place: dict[str, str]) -> list[dict[str, Any]]:
        pages = self._target.client.get_paginator(method).paginate(**place)
        return [each for page in pages for each in page.get(field, ())]

    def _call(self, method: str, **given: Any) -> Any:
        return self._ask(lambda: self._request(method, **given))

    def _request(self, method: str, **given: Any) -> Any:
        return getattr(self._target.client, method)(Bucket=self._target.bucket, Key=self._target.key, **given)

    def _ask(self, request: Callable[[], Any]) -> Any:
        return self._retrying.copy()(request)


class _Body(io.BytesIO):
    """A part whose sending ends when the event is set."""

    def __init__(self, data: bytes, stopping: threading.Event) -> None:
        super().__init__(data)
        self._stopping = stopping

    def read(self, size: int | None = -1) -> bytes:
        if self._stopping.is_set():
            raise _Stopped
        return super().read(size)


def cut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of this size; the last may be smaller, and is empty only where it is the only one."""
    held: list[memoryview] = []
    count, any_yet = 0, False
    for chunk in chunks:
        rest = memoryview(chunk)
        while count + len(rest) >= size:
            yield b"".join([*held, rest[: size - count]])
            rest = rest[size - count :]
            held, count, any_yet = [], 0, True
        held.append(rest)
        count += len(rest)
    if count or not any_yet:
        yield b"".join(held)


def _version(answer: dict[str, Any]) -> str | None:
    """The version's id; "null" is that of a bucket that keeps none."""
    found = answer.get("VersionId")
    return None if found == "null" else found
