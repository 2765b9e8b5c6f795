"""Images of a lake as one picture."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from pixlake import storage
from pixlake.errors import BadRequest, PixlakeError
from pixlake.images.decoders import Decoders, Limits
from pixlake.report.words import shorten

_SIDE, _GAP, _CAPTION = 176, 14, 40  # pixels
_COLUMNS = 5
_PAPER, _FRAME, _INK, _QUIET = "#ffffff", "#eef1f3", "#1a2026", "#5c6773"


class Shown(Protocol):
    """What is known of an image in the lake; the score is a cosine."""

    @property
    def image_path(self) -> str: ...

    @property
    def image_uri(self) -> str: ...

    @property
    def score(self) -> float: ...


def draw_hits(hits: Sequence[Shown]) -> bytes:
    """A PNG with each image, its score and its path; an empty frame where an image cannot be read."""
    columns = max(1, min(_COLUMNS, len(hits)))
    return _draw_rows([hits[start : start + columns] for start in range(0, len(hits), columns)], columns)


def draw_groups(groups: Sequence[Sequence[Shown]]) -> bytes:
    """The same with a row for each group, its first images."""
    return _draw_rows(groups, max([1, *(min(_COLUMNS, len(group)) for group in groups)]))


def write_sheet(path: Path, sheet: bytes) -> None:
    """Write the picture; BadRequest where that cannot be."""
    try:
        path.write_bytes(sheet)
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {error.strerror}") from error


def _draw_rows(rows: Sequence[Sequence[Shown]], columns: int) -> bytes:
    size = (_GAP + columns * (_SIDE + _GAP), _GAP + max(1, len(rows)) * (_SIDE + _CAPTION + _GAP))
    sheet, decoders = Image.new("RGB", size, _PAPER), Decoders(Limits())
    for row, images in enumerate(rows):
        for column, image in enumerate(images[:columns]):
            _draw(sheet, image, decoders, _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _CAPTION + _GAP))
    target = BytesIO()
    sheet.save(target, "PNG")
    return target.getvalue()


def _draw(sheet: Image.Image, hit: Shown, decoders: Decoders, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), fill=_FRAME)
    image = _read(hit.image_uri, decoders)
    if image:
        sheet.paste(image, (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2))
    draw.text((left, top + _SIDE + 3), f"{hit.score:.3f}", fill=_INK, font=ImageFont.load_default(15))
    name = shorten(hit.image_path, 25)
    draw.text((left, top + _SIDE + 22), name, fill=_QUIET, font=ImageFont.load_default(12))


def _read(uri: str, decoders: Decoders) -> Image.Image | None:
    try:
        return Image.fromarray(decoders.shrink(storage.read(uri), _SIDE).pixels)
    except PixlakeError:
        return None
