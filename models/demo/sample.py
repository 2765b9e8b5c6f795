"""Make samples/emoji.zip: a table of emoji, their pictures, and the faults that real uploads have.

The same data gives the same bytes. Run it as `python -m demo.sample ZIP`.
"""

import csv
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo.families import divide
from demo.glyphs import draw_small
from demo.table import COLUMNS, ID, LABEL, describe_emoji
from demo.unicode import SKIN_TONES, VARIATION_SELECTOR, Emoji, Properties, read_emoji, read_properties

SIDE = 72
COLOURS = 128
MEDIUM_TONE = SKIN_TONES[2]
ORPHANS, WITHOUT_IMAGE, BROKEN = 20, 60, 3
OPTIONS = {
    "id_column": ID,
    "label_column": LABEL,
    "embedder": "emoji-clip",
    # no row names 20 of the pictures, and no model of photographs is to
    "classifier": {"with_image": "emoji-group", "without_image": "emoji-group-table", "orphan": ""},
}


@dataclass(frozen=True)
class Parts:
    """The emoji by their part in the sample. `records` holds all but the orphans; `without_image` and `broken` are
    among them."""

    orphans: tuple[Emoji, ...]
    records: tuple[Emoji, ...]
    without_image: frozenset[Emoji]
    broken: tuple[Emoji, ...]


def assign_parts(sample: Iterable[Emoji]) -> Parts:
    """Assign the parts by the hash of each code, so that they spread over all groups."""
    plain = [emoji for emoji in sample if not emoji.toned]
    drawn = sorted(plain, key=lambda emoji: hashlib.sha256(emoji.code.encode()).digest())
    orphans, rest = drawn[:ORPHANS], drawn[ORPHANS:]
    return Parts(
        orphans=tuple(orphans),
        records=tuple(emoji for emoji in plain if emoji not in set(orphans)),
        without_image=frozenset(rest[:WITHOUT_IMAGE]),
        broken=tuple(rest[WITHOUT_IMAGE : WITHOUT_IMAGE + BROKEN]),
    )


def encode_png(image: Image.Image) -> bytes:
    """A PNG with a palette of colours that have an alpha, as small as Pillow makes it."""
    target = io.BytesIO()
    image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE).save(target, "PNG", optimize=True)
    return target.getvalue()


def _toned(emoji: Emoji, toned: dict[tuple[int, ...], Emoji]) -> Emoji | None:
    """The same emoji in the medium skin tone, where Unicode has one."""
    return toned.get(tuple(point for point in emoji.points if point != VARIATION_SELECTOR))


def draw_images(parts: Parts, sample: Iterable[Emoji]) -> Iterator[tuple[str, bytes]]:
    """(name, PNG) of each record with an image; two, numbered, where the emoji has skin tones."""
    toned = {
        emoji.toneless: emoji
        for emoji in sample
        if emoji.toned and all(point == MEDIUM_TONE or point not in SKIN_TONES for point in emoji.points)
    }
    for emoji in parts.records:
        if emoji in parts.without_image or emoji in parts.broken:
            continue
        second = _toned(emoji, toned)
        picture = encode_png(draw_small(emoji.text, SIDE))
        if second is None:
            yield f"images/{emoji.code}.png", picture
        else:
            yield f"images/{emoji.code}-1.png", picture
            yield f"images/{emoji.code}-2.png", encode_png(draw_small(second.text, SIDE))
    for emoji in parts.orphans:
        slug = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in emoji.name)
        yield f"images/unsorted/{slug}.png", encode_png(draw_small(emoji.text, SIDE))


def break_images(broken: tuple[Emoji, ...]) -> Iterator[tuple[str, bytes]]:
    """One picture cut off, one that is text, one of no bytes."""
    cut, text, empty = broken
    picture = encode_png(draw_small(cut.text, SIDE))
    yield f"images/{cut.code}.png", picture[: len(picture) // 2]
    yield f"images/{text.code}.png", b"this was to be a picture\n"
    yield f"images/{empty.code}.png", b""


def write_table(parts: Parts, properties: Properties) -> bytes:
    """The CSV, with a repeated id, an empty id and a row with too many fields at its end."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rows = [[describe_emoji(emoji, properties)[column] for column in COLUMNS] for emoji in parts.records]
    writer.writerows(rows)
    writer.writerow([rows[0][0], "a row that repeats an id", *rows[0][2:]])
    writer.writerow(["", "a row without an id", *rows[1][2:]])
    writer.writerow(["RAGGED", "a row with too many fields", *rows[2][2:], "one", "two"])
    return target.getvalue().encode()


def pack(members: Iterable[tuple[str, bytes]], target: Path) -> None:
    """Write a zip whose bytes depend on its members alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(members):
            entry = zipfile.ZipInfo(name, (2022, 9, 13, 0, 0, 0))  # the day of Unicode 15
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, compresslevel=9)


def make_sample(target: Path) -> None:
    _, sample = divide(read_emoji())
    parts = assign_parts(sample)
    members = [("emoji.csv", write_table(parts, read_properties())), ("pixlake.json", json.dumps(OPTIONS).encode())]
    members += [*draw_images(parts, sample), *break_images(parts.broken)]
    pack(members, target)


if __name__ == "__main__":
    make_sample(Path(sys.argv[1]))
