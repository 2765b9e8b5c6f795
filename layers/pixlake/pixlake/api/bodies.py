"""What a request brings: an image in any of the forms in which clients send one, in bounded memory and time."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pixlake.images import decoders
from pixlake.inference import limits as inference

# What curl's --data-binary says where nothing else is said; browsers say nothing of files that they do not know.
_RAW = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded"})
_FORM, _HEX = "multipart/form-data", "text/plain"


@dataclass(frozen=True)
class Limits:
    """What strangers may ask for: bytes and seconds of a body, what an image and a model may take, requests with a body
    at once."""

    body_bytes: int = 20 << 20
    body_seconds: float = 30.0
    at_once: int = 32
    image: decoders.Limits = field(default_factory=decoders.Limits)
    model: inference.Limits | None = None


def media_type(request: Request) -> str:
    """The declared type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_image(request: Request, limits: Limits) -> bytes:
    """The encoded image: the body itself, the file of a form, or hex digits as text.

    HTTPException with 415 for another type, 413 and 408 for a body above the limits, and 400 for a form or hex digits
    that are none.
    """
    declared = media_type(request)
    if declared not in _RAW | {_FORM, _HEX} and not declared.startswith("image/"):
        raise HTTPException(415, f"send an image, a form with one, or its hex digits as text/plain; not {declared}")
    body = await read_body(request, limits)
    if declared == _FORM:
        return await _find_file(request, body)
    return _parse_hex(body) if declared == _HEX else body


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body; HTTPException with 413 as soon as it is too large, and with 408 where it does not come."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise HTTPException(408, f"the body took more than {limits.body_seconds:g} seconds to come") from None
    return bytes(body)


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(413, f"the body has more than {limits.body_bytes:,} bytes", {"Connection": "close"})


async def _find_file(request: Request, body: bytes) -> bytes:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, whole(), max_files=4, max_fields=16)
    parser.spool_max_size = len(body) + 1  # it is in memory already
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, f"the form cannot be read: {error.message}") from None
    files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
    try:
        if len(files) != 1:
            raise HTTPException(400, f"the form has {len(files)} files, where one image is asked for")
        return await files[0].read()
    finally:
        await form.close()


def _parse_hex(body: bytes) -> bytes:
    try:
        return bytes.fromhex(body.decode("ascii"))
    except ValueError:
        raise HTTPException(400, "text/plain takes the image's bytes as hex digits") from None
