"""Images of the lake, made small for the page. What was uploaded is never sent as it is: it is drawn anew, or lies in a
bucket and is read there, under the bucket's own name.
"""

import io
from pathlib import Path

from PIL import Image

from pixlake import storage
from pixlake.errors import BadImage, MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake.images.decoders import Decoders

SMALLEST, LARGEST = 16, 1_024
SIGNED_SECONDS = 900
_MAX_BYTES = 256 << 20
_QUALITY = 80


def draw_thumbnail(lake: Lake, uri: str, side: int, decoders: Decoders) -> bytes:
    """A WebP of the image at `uri`, at most `side` pixels wide and high.

    MissingObject for one that is gone, cannot be shown, or lies outside of the lake's images.
    """
    _require_image_of(lake, uri)
    try:
        if storage.head(uri).size > _MAX_BYTES:
            raise MissingObject("the image is too large to be shown")
        pixels = decoders.shrink(storage.read(uri), side).pixels
    except BadImage as error:
        raise MissingObject(f"the image cannot be shown: {error}") from error
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "WEBP", quality=_QUALITY)
    return target.getvalue()


def sign_image(lake: Lake, uri: str) -> str:
    """An address of the image as it was uploaded, for `SIGNED_SECONDS`; MissingObject outside of the lake's images."""
    _require_image_of(lake, uri)
    return storage.sign(uri, SIGNED_SECONDS)


def _require_image_of(lake: Lake, uri: str) -> None:
    if not _is_image_of(lake, uri):
        raise MissingObject("the image lies outside of the lake's images")


def _is_image_of(lake: Lake, uri: str) -> bool:
    """Whether it lies under `images/`, links followed where it is a file here."""
    folder = storage.join(lake.uri, "images")
    path = storage.local_path(uri)
    if path is None or lake.folder is None:
        return uri.startswith(f"{folder}/") and ".." not in uri.split("/")
    return path.resolve().is_relative_to(Path(folder.removeprefix("file://")).resolve())
