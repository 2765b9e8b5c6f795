"""The verified bytes of an upload's files: from one ranged read of a zip, or object by object.

Both ways yield `Content`s, so consumers need not know the source. Sizes are counted while inflating, because a header
cannot be trusted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import cast

from zlib_ng import zlib_ng

from pixlake import storage
from pixlake.errors import AccessDenied, BadMember, BadUpload, MissingObject
from pixlake.messages import Member
from pixlake.storage import ANY, Version
from pixlake.zips.cursor import Cursor
from pixlake.zips.headers import LOCAL_BYTES, STORED, read_local_header
from pixlake.zips.original import open_original

_INFLATE_BYTES = 1 << 20
# a gap up to this is cheaper to read than a second request
_MAX_GAP_BYTES = 4 << 20
_MAX_HEADER_BYTES = LOCAL_BYTES + 2 * 0xFFFF
_RAW_DEFLATE = -15
# the package's stub calls it an instance
_InflateError = cast("type[Exception]", zlib_ng.error)


@dataclass(frozen=True)
class Content:
    """One file and its bytes. Its chunks raise BadMember where the file is damaged, BadUpload where it is a bomb.

    Where `in_order` is set, they come out of one read: consume or drop them before the next Content is asked for.
    """

    member: Member
    chunks: Iterator[bytes | memoryview]
    in_order: bool


def read_contents(upload_uri: str, members: Iterable[Member], version: Version = ANY) -> Iterator[Content]:
    """The contents of `members`: all of a zip in this version, by offset, or none of a zip."""
    members = iter(members)
    first = next(members, None)
    if first is None:
        return iter(())
    members = chain([first], members)
    return map(_read_object, members) if first.source_uri else _read_zip(upload_uri, list(members), version)


def _read_object(member: Member) -> Content:
    return Content(member, _check_size(_stream_object(member), member), in_order=False)


def _stream_object(member: Member) -> Iterator[memoryview]:
    try:
        yield from storage.stream(member.source_uri, version=Version(member.version or None))
    except MissingObject as error:
        raise BadMember("missing_object", str(error)) from error
    except AccessDenied as error:
        raise BadMember("access_denied", str(error)) from error


def _check_size(chunks: Iterator[memoryview], member: Member) -> Iterator[memoryview]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > member.size:
            break
        yield chunk
    if size != member.size:
        raise BadMember("size_mismatch", f"it no longer has the {member.size} bytes that it had when it was planned")


def _read_zip(uri: str, members: list[Member], version: Version) -> Iterator[Content]:
    original = open_original(uri, version)
    for run in _runs(members):
        start, end = run[0].offset, min(run[-1].offset + _MAX_HEADER_BYTES + run[-1].compressed, original.size)
        if run[-1].offset + LOCAL_BYTES + run[-1].compressed > end:
            raise BadUpload("changed", f"{uri} is shorter than when it was planned; upload it under a name of its own")
        cursor = Cursor(original.stream(start, end - start), start, uri)
        for member, limit in zip(run, [*(following.offset for following in run[1:]), end], strict=True):
            cursor.seek(member.offset)
            yield Content(member, _read_member(cursor, member, limit), in_order=True)


def _runs(members: list[Member]) -> Iterator[list[Member]]:
    """Runs of members for one read each, without large gaps between members."""
    run = members[:1]
    for before, member in pairwise(members):
        if member.offset - (before.offset + before.compressed) > _MAX_GAP_BYTES:
            yield run
            run = []
        run.append(member)
    yield run


def _read_member(cursor: Cursor, member: Member, limit: int) -> Iterator[bytes | memoryview]:
    read_local_header(cursor, member, limit)
    pieces = cursor.pieces(member.compressed)
    size = crc = 0
    for chunk in pieces if member.method == STORED else _inflate(pieces):
        size += len(chunk)
        if size > member.size:
            raise BadUpload("bomb", f"{member.image_path!a} inflates to more than the {member.size} bytes it declares")
        crc = zlib_ng.crc32(chunk, crc)
        yield chunk
    if size != member.size:
        raise BadMember("size_mismatch", f"it has {size} bytes where the zip's directory says {member.size}")
    if crc != member.crc:
        raise BadMember("crc_mismatch", f"its CRC-32 is {crc:08x} where the zip's directory says {member.crc:08x}")


def _inflate(pieces: Iterator[memoryview]) -> Iterator[bytes]:
    """Chunks of at most `_INFLATE_BYTES`, whatever the input expands to."""
    inflater = zlib_ng.decompressobj(_RAW_DEFLATE)
    for piece in pieces:
        data: bytes | memoryview = piece
        while not inflater.eof:
            try:
                chunk = inflater.decompress(data, _INFLATE_BYTES)
            except _InflateError as error:
                raise BadMember("bad_deflate", f"its compressed data is damaged: {error}") from error
            yield chunk
            data = inflater.unconsumed_tail
            if not data and len(chunk) < _INFLATE_BYTES:
                break
        if inflater.unused_data:
            break
    if not inflater.eof or inflater.unused_data or next(pieces, None) is not None:
        raise BadMember("bad_deflate", "its compressed data does not end where the zip's directory says")
