"""Variations of training rows as in real tables: missing, unseen and extreme values, and other spellings."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas

from pixlake.bundles.manifest import (
    CategoricalInput,
    ImageInput,
    Manifest,
    NumericalInput,
    Preprocessing,
    TextInput,
)
from pixlake.images.preprocessing import decode_for
from pixlake_models.autogluon.rows import IMAGE_SEPARATOR
from pixlake_models.exporting.pictures import make_pictures

UNSEEN = "a category that training never saw"
EXTREMES = (1e30, -1e30, -1.0, 0.0, 1e-30, 1e12, -1e12, 3.0)
TEXTS = (
    "Ünïcödé, 漢字 und עברית, \N{DOG FACE}\N{ZERO WIDTH JOINER}\N{CAT FACE}",
    "[CLS] [SEP] [PAD] [MASK] <s> </s> <pad> <unk>",
    "NA",
    "tab\tnew\nline\r\n\N{NO-BREAK SPACE}  blanks  ",
    "cafe\N{COMBINING ACUTE ACCENT} ﬁﬂ ①②",
    "\x00\x07\N{REPLACEMENT CHARACTER}\N{LEFT-TO-RIGHT OVERRIDE}\U0010ffff",
    "1234567890 -3.14 1e30 <b>&amp;</b> https://example.org/?q=1#x",
    "a" * 3_000,
)
LONG = "word after word and no end of them "
_FEW = 8
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Variation:
    """Rows as AutoGluon gets them; `spell` writes their numbers as cells of a table."""

    name: str
    rows: pandas.DataFrame
    spell: Callable[[Any], str] = str


def vary_rows(rows: pandas.DataFrame, manifest: Manifest, image_column: str | None, folder: Path) -> list[Variation]:
    """A few of the rows again in each variation; its pictures are written to `folder`."""
    few = rows.head(_FEW).astype(object)
    changes: list[Variation] = [*_numbers(few, manifest), *_categories(few, manifest), *_texts(few, manifest)]
    if image_column and manifest.image_input:
        changes += _images(few, manifest.image_input, image_column, folder)
    nothing: dict[str, Any] = dict.fromkeys(few.columns)
    if image_column and manifest.image_input and manifest.image_input.missing == "refuse":
        del nothing[image_column]
    return [*changes, Variation("nothing given", few.assign(**nothing))]


def number_columns(manifest: Manifest) -> list[str]:
    """The numerical columns that the model reads."""
    inputs = (each for each in manifest.inputs if isinstance(each, NumericalInput))
    return list(dict.fromkeys(column.name for each in inputs for column in each.columns))


def category_columns(manifest: Manifest) -> dict[str, CategoricalInput]:
    """The categorical columns that the model reads."""
    return {each.column: each for each in manifest.inputs if isinstance(each, CategoricalInput)}


def text_columns(manifest: Manifest) -> list[str]:
    """The text columns that the model reads."""
    return list(dict.fromkeys(name for each in manifest.inputs if isinstance(each, TextInput) for name in each.columns))


def columns_read(manifest: Manifest, image_column: str | None) -> list[str]:
    """The columns of a row that the model reads."""
    names = [*number_columns(manifest), *category_columns(manifest), *text_columns(manifest)]
    return [*names, image_column] if image_column else names


def _numbers(few: pandas.DataFrame, manifest: Manifest) -> Iterator[Variation]:
    names = number_columns(manifest)
    if not names:
        return
    yield Variation("numbers missing", few.assign(**dict.fromkeys(names, float("nan"))))
    extremes = {name: _cycled(EXTREMES, few, skip) for skip, name in enumerate(names)}
    yield Variation("numbers extreme", few.assign(**extremes))
    yield Variation("numbers written otherwise", few, _spell_otherwise)


def _spell_otherwise(value: Any) -> str:
    return f" {float(value):+.17e} "


def _categories(few: pandas.DataFrame, manifest: Manifest) -> Iterator[Variation]:
    for name, declared in category_columns(manifest).items():
        empty = "" if "" in declared.categories else None
        yield Variation(f"{name} missing", few.assign(**{name: empty}))
        yield Variation(f"{name} unseen", few.assign(**{name: UNSEEN}))


def _texts(few: pandas.DataFrame, manifest: Manifest) -> Iterator[Variation]:
    names = text_columns(manifest)
    if not names:
        return
    longest = max(each.length for each in manifest.inputs if isinstance(each, TextInput))
    yield Variation("text missing", few.assign(**dict.fromkeys(names)))
    yield Variation("text empty or blank", few.assign(**dict.fromkeys(names, _cycled(("", " ", "\n\t"), few))))
    yield Variation("text very long", few.assign(**dict.fromkeys(names, LONG * longest)))
    if len(names) > 1:
        one = {name: _cycled((LONG * longest, "a word"), few, skip) for skip, name in enumerate(names)}
        yield Variation("one text very long", few.assign(**one))
    yield Variation("text of any characters", few.assign(**dict.fromkeys(names, _cycled(TEXTS, few))))


def _images(few: pandas.DataFrame, declared: ImageInput, column: str, folder: Path) -> Iterator[Variation]:
    written = _write_pictures(folder, declared.preprocessing)
    if declared.missing == "zero":
        broken = folder / "broken"
        broken.write_bytes(b"no picture")
        yield Variation("image missing", few.assign(**{column: None}))
        yield Variation("image lost", few.assign(**{column: str(folder / "lost")}))
        yield Variation("image broken", few.assign(**{column: str(broken)}))
        with_broken = [_joined([broken, path]) for path in written["PNG"]]
        if declared.max_images > 1:
            yield Variation("one image broken", few.assign(**{column: _cycled(with_broken, few)}))
    for kind, paths in written.items():
        yield Variation(f"image: {kind}", few.assign(**{column: _cycled(map(str, paths), few)}))
    for count in range(2, declared.max_images + 2):
        several = (_joined(paths) for paths in itertools.permutations(written["PNG"], count))
        name = f"{count} images" if count <= declared.max_images else "more images than it takes"
        yield Variation(name, few.assign(**{column: _cycled(itertools.islice(several, _FEW), few)}))


def _write_pictures(folder: Path, preprocessing: Preprocessing) -> dict[str, list[Path]]:
    """Files of each kind of picture of which bundle and AutoGluon get the same pixels."""
    written: dict[str, list[Path]] = {}
    stored = msgspec.structs.replace(preprocessing, pixels="stored")
    for index, picture in enumerate(make_pictures()):
        seen, read = (decode_for(picture.data, each, _MAX_PIXELS).pixels for each in (preprocessing, stored))
        if (seen.size, seen.tobytes()) == (read.size, read.tobytes()):
            path = folder / f"varied-{index}"
            path.write_bytes(picture.data)
            written.setdefault(picture.kind, []).append(path)
    return written


def _joined(paths: Iterable[Path]) -> str:
    return IMAGE_SEPARATOR.join(map(str, paths))


def _cycled(values: Iterable[Any], few: pandas.DataFrame, skip: int = 0) -> list[Any]:
    """One for each row."""
    return list(itertools.islice(itertools.cycle(values), skip, skip + len(few)))
