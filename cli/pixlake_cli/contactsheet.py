"""Images of a lake as one picture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from pixlake import storage
from pixlake.errors import PixlakeError
from pixlake.images.decoders import Decoders, Limits
from pixlake.report.words import shorten

_SIDE, _GAP, _HEADING, _LINE = 176, 14, 34, 18  # pixels
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


class Found(Shown, Protocol):
    """One that a search found."""

    @property
    def record_id(self) -> str | None: ...


@dataclass(frozen=True)
class _Tile:
    """An image and the lines below it."""

    image_uri: str
    lines: tuple[str, ...]


def draw_hits(hits: Sequence[Found], query: str, picture: bytes | None = None) -> bytes:
    """A PNG with the query above, its picture to the left where it is one, and each image with its score, record and
    path; an empty frame where an image cannot be read."""
    tiles = [_Tile(hit.image_uri, (f"{hit.score:.3f}", hit.record_id or "no record", hit.image_path)) for hit in hits]
    columns = max(1, min(_COLUMNS, len(hits)))
    return _draw_rows(
        [tiles[start : start + columns] for start in range(0, len(hits), columns)], columns, query, picture
    )


def draw_groups(groups: Sequence[Sequence[Shown]]) -> bytes:
    """A row for each group, its first images, each with its score and path."""
    columns = max([1, *(min(_COLUMNS, len(group)) for group in groups)])
    return _draw_rows([list(_tiles(group[:columns])) for group in groups], columns)


def _tiles(images: Iterable[Shown]) -> Iterator[_Tile]:
    return (_Tile(image.image_uri, (f"{image.score:.3f}", image.image_path)) for image in images)


def _draw_rows(rows: Sequence[Sequence[_Tile]], columns: int, heading: str = "", picture: bytes | None = None) -> bytes:
    top = _GAP + (_HEADING if heading else 0)
    across, down = _SIDE + _GAP, _SIDE + _LINE * max((len(row[0].lines) for row in rows), default=0) + 4 + _GAP
    left = _GAP + (across + _GAP if picture else 0)
    sheet = Image.new("RGB", (left + columns * across, top + max(1, len(rows)) * down), _PAPER)
    decoders = Decoders(Limits())
    if heading:
        _write(ImageDraw.Draw(sheet), (_GAP, _GAP), heading, 20, _INK, sheet.width - 2 * _GAP)
    if picture:
        _frame(sheet, _shrink(picture, decoders), _GAP, top)
        ImageDraw.Draw(sheet).line((left - _GAP, top, left - _GAP, sheet.height - _GAP), _QUIET)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            _draw(sheet, tile, decoders, left + column * across, top + row * down)
    target = BytesIO()
    sheet.save(target, "PNG")
    return target.getvalue()


def _draw(sheet: Image.Image, tile: _Tile, decoders: Decoders, left: int, top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    _frame(sheet, _read(tile.image_uri, decoders), left, top)
    for place, line in enumerate(tile.lines):
        at = (left, top + _SIDE + 3 + place * _LINE)
        _write(draw, at, line, 12 if place else 15, _QUIET if place else _INK, _SIDE)


def _frame(sheet: Image.Image, image: Image.Image | None, left: int, top: int) -> None:
    ImageDraw.Draw(sheet).rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), fill=_FRAME)
    if image:
        sheet.paste(image, (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2))


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, ink: str, width: int) -> None:
    """One line, its middle left out where it is wider than `width` pixels."""
    font = ImageFont.load_default(size)
    lengths = range(min(len(text), width), 0, -1)
    fitting = (line for length in lengths if draw.textlength(line := shorten(text, length), font) <= width)
    draw.text(at, next(fitting, ""), fill=ink, font=font)


def _read(uri: str, decoders: Decoders) -> Image.Image | None:
    try:
        return _shrink(storage.read(uri), decoders)
    except PixlakeError:
        return None


def _shrink(data: bytes, decoders: Decoders) -> Image.Image:
    return Image.fromarray(decoders.shrink(data, _SIDE).pixels)
