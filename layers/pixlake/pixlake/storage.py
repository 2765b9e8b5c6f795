"""Objects by URI, the same on S3 (`s3://bucket/key`) and in a folder (`file:///path`).

A URI here is plain text, not percent-encoded, as S3 URIs are. Everything goes through obstore: ranged reads, many
requests in flight, the GIL free, writes that appear whole or not at all. Its errors become Pixlake's.
"""

import functools
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, PreconditionError
from obstore.store import LocalStore, ObjectStore, S3Store, from_url

from pixlake.errors import AccessDenied, BadRequest, ChangedObject, MissingObject, StorageError
from pixlake.ranged import RangedFile

if TYPE_CHECKING:
    from obstore.store import ClientConfig

# neither a folder nor Arrow's object store takes these in a path
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|//|(^|/)\.\.?(/|$)")
_FILES_ENDPOINT = "FILES_ENDPOINT"
"""The endpoint that serves a laptop's files as objects of the S3 bucket `files`, for functions in containers."""
_CHUNK_BYTES = 1 << 20
# S3 takes 10,000 parts an object: this allows 80 GB, the largest object that Lambda has time for
_PART_BYTES = 8 << 20
_PARTS_IN_FLIGHT = 4
_CLIENT: "ClientConfig" = {
    # the default ends a request after 30 seconds, even in progress; a shard may be read for as long as Lambda runs
    "timeout": timedelta(minutes=15),
    "read_timeout": timedelta(minutes=2),
    # for an AWS_ENDPOINT_URL on loopback; AWS's own endpoints are https
    "allow_http": True,
}


_OR_MISSING = "; or there is no such object: S3 answers both alike to a caller that may not list the bucket"


@dataclass(frozen=True)
class ObjectInfo:
    """An object's metadata, without its content. `size` is in bytes, `last_modified` in UTC."""

    uri: str
    size: int
    last_modified: datetime
    etag: str | None
    version_id: str | None = None

    @property
    def version(self) -> "Version":
        return Version(self.version_id, self.etag)


@dataclass(frozen=True)
class Opened:
    """The store's response with an object: its size is known, its bytes are not yet in memory."""

    uri: str
    size: int
    _answer: Any

    def read(self) -> bytes:
        """The whole object, once."""
        with _translated(self.uri):
            return bytes(self._answer.bytes())


@dataclass(frozen=True)
class Version:
    """One version of an object: by its id, in a versioned bucket, and by its ETag, with which a read of any other
    version raises ChangedObject. None matches any."""

    id: str | None = None
    etag: str | None = None


ANY = Version()


def locate(uri: str) -> tuple[ObjectStore, str]:
    """The store that holds `uri`, and the object's path in it.

    Raises BadRequest for a scheme other than `s3` and `file`, and for a path that no object can have.
    """
    scheme, separator, rest = uri.partition("://")
    if _UNUSABLE.search(rest):
        raise BadRequest(f"{uri!r}: no '.', '..', empty name, control character or undecodable byte can be in its path")
    if separator and scheme == "file" and rest.startswith("/"):
        return _folder(), rest.lstrip("/")
    if separator and scheme == "s3":
        bucket, _, key = rest.partition("/")
        return _bucket(bucket), key
    raise BadRequest(f"{uri!r} is not an s3:// or file:/// URI")


def local_path(uri: str) -> Path | None:
    """The file that `uri` names, if this process can open it."""
    if uri.startswith("file://") and _FILES_ENDPOINT not in os.environ:
        return Path(uri.removeprefix("file://"))
    return None


@functools.cache
def _folder() -> ObjectStore:
    endpoint = os.environ.get(_FILES_ENDPOINT)
    if endpoint is None:
        return LocalStore()
    return S3Store("files", endpoint=endpoint, region="us-east-1", skip_signature=True, client_options=_CLIENT)


@functools.cache
def _bucket(name: str) -> ObjectStore:
    return from_url(f"s3://{name}", client_options=_CLIENT)


def join(base: str, *parts: str) -> str:
    """`base` and the parts with single slashes between."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def read(uri: str) -> bytes:
    """The whole object."""
    return open_object(uri).read()


def open_object(uri: str) -> Opened:
    """The object, with its size known before it is read."""
    store, path = locate(uri)
    with _translated(uri):
        answer = obstore.get(store, path)
        return Opened(uri, answer.meta["size"], answer)


def read_range(uri: str, start: int, length: int, version: Version = ANY) -> bytes:
    """`length` bytes from `start`, of this version; StorageError if the store gives fewer."""
    store, path = locate(uri)
    with _translated(uri, version.id):
        if version == ANY:
            data = bytes(obstore.get_range(store, path, start=start, length=length))
        else:
            data = bytes(obstore.get(store, path, options=_asked(version, start, length)).bytes())
    if len(data) != length:
        raise StorageError(f"{uri}: asked for {length} bytes at {start}, got {len(data)}")
    return data


def read_ranges(uri: str, starts: Sequence[int], length: int, apart: int = 64 << 10) -> list[bytes]:
    """`length` bytes from each of these starts; ranges less than `apart` from each other are one request."""
    store, path = locate(uri)
    with _translated(uri):
        found = obstore.get_ranges(store, path, starts=starts, lengths=[length] * len(starts), coalesce=apart)
    return [bytes(each) for each in found]


def stream(
    uri: str, start: int | None = None, length: int | None = None, version: Version = ANY
) -> Iterator[memoryview]:
    """The object, or `length` bytes of it from `start`, of this version, in chunks of about a MiB as they arrive."""
    store, path = locate(uri)
    with _translated(uri, version.id):
        asked = obstore.get(store, path, options=_asked(version, start, length))
        chunks = iter(asked.stream(min_chunk_size=_CHUNK_BYTES))
    while True:
        # the yield stays outside: what the caller's code raises is not the store's failure
        with _translated(uri):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield memoryview(chunk)


def _asked(version: Version, start: int | None = None, length: int | None = None) -> Any:
    """The options of a GET."""
    options: dict[str, Any] = {"version": version.id, "if_match": version.etag}
    if start is not None:
        options["range"] = (start, start + (length or 0))
    return {name: value for name, value in options.items() if value is not None}


def sha256(uri: str) -> str:
    """The object's SHA-256 in hex, with a MiB of it in memory. A local file is read directly, four times as fast."""
    path = local_path(uri)
    if path is not None:
        with _translated(uri), path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for chunk in stream(uri):
        digest.update(chunk)
    return digest.hexdigest()


class Reader(RangedFile):
    """An object as a seekable file of ranged reads, for pyarrow to read some columns of a Parquet object."""

    def __init__(self, uri: str, size: int | None = None) -> None:
        super().__init__(head(uri).size if size is None else size)
        self._uri = uri

    def read_range(self, start: int, length: int) -> bytes:
        return read_range(self._uri, start, length)


def sign(uri: str, seconds: int) -> str:
    """An address at which whoever has it reads the object for so many seconds. Nothing is asked of the store."""
    store, path = locate(uri)
    assert isinstance(store, S3Store), f"{uri}: only a bucket's objects are signed"
    with _translated(uri):
        return obstore.sign(store, "GET", path, timedelta(seconds=seconds))


def write(uri: str, data: bytes | memoryview, content_type: str | None = None) -> None:
    """Put the object whole, atomically replacing an older one of that name. A folder keeps no `content_type`."""
    store, path = locate(uri)
    attributes: Any = None
    if content_type and not isinstance(store, LocalStore):
        attributes = {"Content-Type": content_type}
    with _translated(uri):
        obstore.put(store, path, data, attributes=attributes)


def create(uri: str, data: bytes) -> bool:
    """Put the object whole unless there is one of that name; False where there is, which stays. After a store's own
    retry it may be False for the object that this call put: compare the content.
    """
    store, path = locate(uri)
    with _translated(uri):
        try:
            obstore.put(store, path, data, mode="create")
        except AlreadyExistsError:
            return False
        except BaseError:
            file = local_path(uri)
            if file is None:
                raise
            return _create_file(file, data)
    return True


def _create_file(file: Path, data: bytes) -> bool:
    """`create` on a file system without hard links (exFAT, some network shares), which obstore needs for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("xb", buffering=0) as new:
            new.write(data)
    except FileExistsError:
        return False
    return True


def write_stream(uri: str, chunks: Iterable[bytes | memoryview]) -> None:
    """Put an object of any size from its chunks, with few of its bytes in memory.

    It appears after the last chunk; where `chunks` raises a PixlakeError, that is raised and nothing appears.
    """
    source = iter(chunks)
    first = bytearray()
    for chunk in source:
        first += chunk
        if len(first) >= _PART_BYTES:
            break
    else:
        write(uri, bytes(first))
        return
    store, path = locate(uri)
    # not `obstore.put` with an iterator: it runs the iterator where no chunk can be read from another object
    with (
        _translated(uri),
        obstore.open_writer(store, path, buffer_size=_PART_BYTES, max_concurrency=_PARTS_IN_FLIGHT) as writer,
    ):
        for chunk in itertools.chain([bytes(first)], source):
            writer.write(chunk)


def move(source: str, target: str) -> bool:
    """Make a local file another object, atomically, without reading it. False, with nothing changed, where that cannot
    be: one of them is in a bucket, or they are on two file systems."""
    file, place = local_path(source), local_path(target)
    if file is None or place is None:
        return False
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    except OSError:
        return False
    return True


def head(uri: str, version_id: str | None = None) -> ObjectInfo:
    """Size and age of one object, by default of its newest version; MissingObject if there is none."""
    store, path = locate(uri)
    with _translated(uri, version_id):
        if version_id is None:
            meta = obstore.head(store, path)
        else:
            meta = obstore.get(store, path, options={"version": version_id, "head": True}).meta
    return ObjectInfo(uri, meta["size"], meta["last_modified"], meta["e_tag"], _version_id(meta["version"]))


def _version_id(found: str | None) -> str | None:
    """None for S3's "null", the id of objects written while versioning was off: another object can take it over."""
    return None if found == "null" else found


def exists(uri: str) -> bool:
    """Whether there is an object of this name; AccessDenied where neither a HEAD nor a listing tells."""
    try:
        head(uri)
    except MissingObject:
        return False
    except AccessDenied:
        return _is_listed(uri)
    return True


def _is_listed(uri: str) -> bool:
    """Whether the listing of its folder, begun just before it, holds the object."""
    store, path = locate(uri)
    with _translated(uri):
        for page in obstore.list(store, path.rpartition("/")[0] or None, offset=path[:-1]):
            for meta in page:
                if meta["path"].encode() >= path.encode():
                    return bool(meta["path"] == path)
    return False


def list_objects(prefix: str) -> Iterator[ObjectInfo]:
    """All objects under the folder `prefix`, in no particular order."""
    store, path = locate(prefix.rstrip("/") + "/")
    scheme, _, rest = prefix.partition("://")
    root = f"{scheme}://{rest.partition('/')[0]}"
    with _translated(prefix):
        for page in obstore.list(store, path.rstrip("/") or None):
            for meta in page:
                uri = f"{root}/{meta['path']}"
                yield ObjectInfo(uri, meta["size"], meta["last_modified"], meta["e_tag"])


def delete(uris: Sequence[str]) -> None:
    """Delete objects, a thousand a request where the store allows it; a missing one is no error."""
    for store, group in itertools.groupby(map(locate, uris), key=lambda located: located[0]):
        paths = [path for _, path in group]
        if not isinstance(store, LocalStore):
            with _translated(paths[0]):
                obstore.delete(store, paths)
            continue
        for path in paths:
            with suppress(MissingObject), _translated(f"file:///{path}"):
                obstore.delete(store, path)


@contextmanager
def _translated(uri: str, version_id: str | None = None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchUpload" in str(error):
            # the last answer to an upload in parts was lost: the object may be there, and writing it again is safe
            raise StorageError(f"{uri}: the store's answer to the end of its upload was lost") from error
        raise MissingObject(f"{uri}{f', version {version_id},' if version_id else ''} does not exist") from error
    except PreconditionError as error:
        raise ChangedObject(uri) from error
    except (BaseError, OSError) as error:
        # obstore has no class for a denied listing
        if isinstance(error, PermissionDeniedError | PermissionError) or "403 Forbidden" in str(error):
            raise AccessDenied(f"{uri}: access is denied{_OR_MISSING if uri.startswith('s3://') else ''}") from error
        # obstore appends its error's debug form, which repeats the message
        reason = str(error).partition("\n\nDebug source:")[0]
        raise StorageError(f"{uri}: {reason}") from error
