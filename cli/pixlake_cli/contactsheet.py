"""Hits of a search as one picture."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from pixlake import storage
from pixlake.errors import PixlakeError
from pixlake.images.decoding import decode
from pixlake.report.words import shorten
from pixlake.search.nearest import Hit

_SIDE, _GAP, _CAPTION = 176, 14, 40  # pixels
_COLUMNS = 5
_MAX_PIXELS = 100_000_000
_PAPER, _FRAME, _INK, _QUIET = "#ffffff", "#eef1f3", "#1a2026", "#5c6773"


def draw_hits(hits: Sequence[Hit]) -> bytes:
    """A PNG with each image, its score and its path; an empty frame where an image cannot be read."""
    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    size = (_GAP + columns * (_SIDE + _GAP), _GAP + rows * (_SIDE + _CAPTION + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    for index, hit in enumerate(hits):
        row, column = divmod(index, columns)
        _draw_hit(sheet, hit, _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _CAPTION + _GAP))
    target = BytesIO()
    sheet.save(target, "PNG")
    return target.getvalue()


def _draw_hit(sheet: Image.Image, hit: Hit, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), fill=_FRAME)
    image = _read(hit.image_uri)
    if image:
        sheet.paste(image, (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2))
    draw.text((left, top + _SIDE + 3), f"{hit.score:.3f}", fill=_INK, font=ImageFont.load_default(15))
    name = shorten(hit.image_path, 25)
    draw.text((left, top + _SIDE + 22), name, fill=_QUIET, font=ImageFont.load_default(12))


def _read(uri: str) -> Image.Image | None:
    try:
        image = decode(storage.read(uri), max_pixels=_MAX_PIXELS, least=lambda _: (_SIDE, _SIDE)).pixels
    except PixlakeError:
        return None
    image.thumbnail((_SIDE, _SIDE))
    return image
