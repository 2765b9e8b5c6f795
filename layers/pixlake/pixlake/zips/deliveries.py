"""Writes contents to the lake, many at once, in bounded memory."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from pixlake import storage
from pixlake.errors import BadMember
from pixlake.messages import Image, Member
from pixlake.rejects import Reject, Stage
from pixlake.storage import ANY, Version
from pixlake.zips.contents import Content, read_contents

_WHOLE_BYTES = 8 << 20
_BYTES_IN_FLIGHT = 64 << 20

Outcome = Image | Reject


def deliver_all(upload_uri: str, members: list[Member], writes_in_flight: int, version: Version = ANY) -> list[Outcome]:
    """Put the members at their `image_uri`s; returns their outcomes, in order. Raises BadUpload for a bomb and
    StorageError where the store fails, and stops there.
    """
    with ThreadPoolExecutor(writes_in_flight, thread_name_prefix="deliver") as pool:
        deliveries = _Deliveries(pool)
        try:
            for content in read_contents(upload_uri, members, version):
                if deliveries.failed:
                    break
                deliveries.deliver(content)
            return deliveries.outcomes()
        finally:
            pool.shutdown(cancel_futures=True)


class _Deliveries:
    """Takes contents one after the other; each becomes an Image, once it is in the lake, or a Reject.

    A content of up to 8 MiB is verified and then written whole, in the background; from a local file to a local file,
    in the foreground. A larger one is streamed in parts in the foreground, and appears only if it is verified.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._room = _Room(_BYTES_IN_FLIGHT)
        self._outcomes: list[Outcome | Future[Outcome]] = []
        self._failed = threading.Event()

    @property
    def failed(self) -> bool:
        """Whether a write has failed, so that the rest can stop; `outcomes` raises the failure."""
        return self._failed.is_set()

    def deliver(self, content: Content) -> None:
        """Read the content's bytes, in the background where their order does not matter."""
        member = content.member
        if member.size > _WHOLE_BYTES:
            self._outcomes.append(_deliver_parts(member, content.chunks))
            return
        if _stays_here(content):
            self._outcomes.append(_deliver_whole(member, content.chunks))
            return
        self._room.enter(member.size)
        chunks = content.chunks
        if content.in_order:
            try:
                chunks = iter([b"".join(chunks)])
            except BadMember as error:
                self._room.leave(member.size)
                self._outcomes.append(_reject(member, error))
                return
        future = self._pool.submit(_deliver_whole, member, chunks)
        future.add_done_callback(lambda done: self._settle(member, done))
        self._outcomes.append(future)

    def outcomes(self) -> list[Outcome]:
        """The outcome of each content, in order; waits for the background and raises the error of a write."""
        return [outcome.result() if isinstance(outcome, Future) else outcome for outcome in self._outcomes]

    def _settle(self, member: Member, done: Future[Outcome]) -> None:
        self._room.leave(member.size)
        if not done.cancelled() and done.exception():
            self._failed.set()


def _stays_here(content: Content) -> bool:
    """Whether bytes go from disk to disk: handing a small file to a thread costs more than writing it."""
    member = content.member
    from_disk = content.in_order or storage.local_path(member.source_uri) is not None
    return from_disk and storage.local_path(member.image_uri) is not None


def _deliver_whole(member: Member, chunks: Iterator[bytes | memoryview]) -> Outcome:
    try:
        storage.write(member.image_uri, b"".join(chunks))
    except BadMember as error:
        return _reject(member, error)
    return Image(member.image_path, member.image_uri, member.size, member.uploaded_at)


def _deliver_parts(member: Member, chunks: Iterator[bytes | memoryview]) -> Outcome:
    try:
        storage.write_stream(member.image_uri, chunks)
    except BadMember as error:
        return _reject(member, error)
    return Image(member.image_path, member.image_uri, member.size, member.uploaded_at)


def _reject(member: Member, error: BadMember) -> Reject:
    return Reject(member.image_path, Stage.EXTRACT, error.reason, error.detail)


class _Room:
    """A limit on the bytes in memory at once."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._changed = threading.Condition()

    def enter(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size

    def leave(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify()
