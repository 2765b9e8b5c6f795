"""What a search is asked for: an image from somewhere, or a text."""

import mimetypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pixlake.errors import BadRequest, MissingObject

if TYPE_CHECKING:
    from pixlake.inference.embedder import Embedder
    from pixlake.search.quantized import Floats

_STDIN = "-"
_URIS = ("s3://", "file://")
_LONGEST_PATH = 4096


def embed_query(query: str, data: bytes | None, embedder: "Embedder", in_lake: Callable[[], "Floats"]) -> "Floats":
    """The vector of the image `data`, of a text, or else `in_lake`, for what is named like an image.

    Raises BadRequest for an image that is nowhere, and BadImage for one that cannot be decoded.
    """
    if data is not None:
        from pixlake.images.decoders import Decoders, Limits

        loaded = Decoders(Limits()).load(data, embedder.preprocessing)
        vector: Floats = embedder.embed_tensors([loaded.tensor])[0]
        return vector
    if not _is_named_like_an_image(query):
        text: Floats = embedder.embed_texts([query])[0]
        return text
    try:
        return in_lake()
    except MissingObject as error:
        raise BadRequest(f"there is no image {query}, neither as a file nor in the lake: {error}") from error


def asks_by_text(query: str) -> bool:
    """Whether `embed_query` takes it for a text."""
    return not (query == _STDIN or query.startswith(_URIS) or _is_file(query) or _is_named_like_an_image(query))


def read_image(query: str) -> bytes | None:
    """The image at a file, a URI or standard input (`-`), None for what is none. Raises MissingObject, StorageError."""
    if query == _STDIN:
        return sys.stdin.buffer.read()
    if query.startswith(_URIS):
        from pixlake import storage

        return storage.read(query)
    return Path(query).read_bytes() if _is_file(query) else None


def _is_file(query: str) -> bool:
    return len(query) < _LONGEST_PATH and Path(query).is_file()


def _is_named_like_an_image(query: str) -> bool:
    return (mimetypes.guess_type(query)[0] or "").startswith("image/")
