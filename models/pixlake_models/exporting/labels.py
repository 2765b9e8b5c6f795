"""The names of classes, and the words for each, from a user's file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from pixlake.errors import BadRequest

_Text = Annotated[str, Meta(min_length=1)]
_Texts = _Text | Annotated[list[_Text], Meta(min_length=1)]
_FORMATS = 'a label a line; or, named *.json, a list of labels or {"label": "text" or ["text", …]}'


@dataclass(frozen=True)
class Label:
    """A class: the name in the tables, and the texts that describe it to a model."""

    name: str
    texts: tuple[str, ...]


def read_labels(path: Path) -> list[Label]:
    """The labels in a file, in its order: lines of text, or JSON where its name ends in `.json`.

    Blank lines and blanks around a label are ignored. BadRequest says what is wrong with the file.
    """
    data = path.read_bytes()
    try:
        found = _read_json(data) if path.suffix.lower() == ".json" else _read_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path}: {error}; it takes {_FORMATS}") from error
    if repeated := [name for name, count in Counter(label.name for label in found).items() if count > 1]:
        raise BadRequest(f"{path}: labels repeat: {repeated[:5]}; a table could not tell them apart")
    if len(found) < 2:
        raise BadRequest(f"{path}: a classifier has two labels or more, here is {len(found)}; it takes {_FORMATS}")
    return found


def name_apart(names: Sequence[str], marks: Sequence[object] | None = None) -> list[str]:
    """The names, repeated ones with their marks: `crane`, `crane` become `crane (134)`, `crane (517)`.

    A mark is by default the index of the class, from 0.
    """
    times, marks = Counter(names), marks or range(len(names))
    pairs = zip(names, marks, strict=True)
    apart = [name if times[name] == 1 else f"{name} ({mark})" for name, mark in pairs]
    return apart if len(set(apart)) == len(apart) else name_apart(apart)


def _read_lines(data: bytes) -> list[Label]:
    lines = (line.strip() for line in data.decode("utf-8-sig").splitlines())
    return [Label(line, (line,)) for line in lines if line]


def _read_json(data: bytes) -> list[Label]:
    found = msgspec.json.decode(data, type=list[_Text] | dict[_Text, _Texts])
    pairs = found.items() if isinstance(found, dict) else zip(found, found, strict=True)
    return [Label(name, (texts,) if isinstance(texts, str) else tuple(texts)) for name, texts in pairs]
