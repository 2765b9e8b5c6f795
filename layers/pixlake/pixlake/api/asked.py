"""What a request asks for, checked: parameters of its address, and the JSON of a search."""

from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pixlake.api.notices import MODEL

T = TypeVar("T")

MOST = 1_000


class Like(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image of the lake that has a vector."""

    experiment_id: str
    image_path: str


class Image(Like, frozen=True, forbid_unknown_fields=True):
    """An image of the lake as answers name it."""

    record_id: str | None = None


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a search: by a text, or by an image of the lake. The others are parameters of the address, too."""

    text: str | None = None
    like: Like | None = None
    n: int | None = None
    experiment: str | None = None
    model: str | None = None
    where: str | None = None
    distinct: bool | None = None


def parse_search(body: bytes) -> Search:
    """HTTPException with 400 for what is no JSON, and with 422 for what is no search."""
    search = _parse(body, Search)
    if (search.text is None) == (search.like is None) or (search.text is not None and not search.text.strip()):
        raise HTTPException(422, 'give "text" that is not empty, or "like" an image of the lake')
    return search


def parse_images(body: bytes) -> list[Image]:
    """HTTPException with 400 for what is no JSON, and with 422 for what are no images, or more than MOST."""
    images = _parse(body, list[Image])
    if len(images) > MOST:
        raise HTTPException(422, f"at most {MOST:,} images at once")
    return images


def _parse(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise HTTPException(400, "the body is no JSON") from None


def read_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the address; HTTPException with 422 for any other."""
    text = request.query_params.get(name, str(default))
    return check_number(name, int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else -1, least, most)


def read_fraction(request: Request, name: str, default: float) -> float:
    """A number of the address above 0 and up to 1; HTTPException with 422 for any other."""
    try:
        value = float(request.query_params.get(name, default))
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise HTTPException(422, f"{name} is a number above 0, at most 1")
    return value


def read_model(request: Request) -> str | None:
    """The model that the address names, or else the header that answers have, too."""
    return request.query_params.get("model", request.headers.get(MODEL))


def read_flag(request: Request, name: str) -> bool:
    """`true` or `false` of the address, false where it has none; HTTPException with 422 for any other."""
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise HTTPException(422, f"{name} is true or false")
    return text == "true"


def check_number(name: str, value: int, least: int, most: int) -> int:
    """`value` if it is in the range; HTTPException with 422 where it is not."""
    if not least <= value <= most:
        raise HTTPException(422, f"{name} is a whole number from {least:,} to {most:,}")
    return value


def wants_text(request: Request) -> bool:
    """Whether the answer shall be a line of text."""
    return request.headers.get("accept", "").partition(";")[0].strip().lower() == "text/plain"
