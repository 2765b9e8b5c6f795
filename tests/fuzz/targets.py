"""What is fuzzed: a strategy for hostile files, and the check that they go through."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from tests.builders.zips import MAX_32, Part, build
from tests.fuzz import bases, formats
from tests.fuzz.anatomy import Anatomy
from tests.fuzz.findings import Tally
from tests.fuzz.imagechecks import ImageChecks, Item
from tests.fuzz.mutations import mutate
from tests.fuzz.parquet import PARQUET
from tests.fuzz.session import Target
from tests.fuzz.tablechecks import TableChecks
from tests.fuzz.zipchecks import ZipChecks

_IMAGES_AT_ONCE = 10
_RANDOM = st.randoms(use_true_random=False)
_SIZES = (None, None, None, 0, 1, 65_535, MAX_32, (1 << 63) - 1, (1 << 64) - 1)
_NAMES = (*(name.encode() for name in bases.FILES), b"x.jpg", b"d/", b"\xff.jpg", b"A.csv", b"../up.jpg", b"P/a.jpg")
_EXTRAS = (b"", b"", b"\1\0\x08\0" + bytes(8), b"\1\0\xff\xff", b"\x75\x70\5\0" + bytes(5), b"\0")


def make_targets(folder: Path, tally: Tally, only: Sequence[str] = ()) -> list[Target]:
    """Those of these names; without names all."""
    images, tables = ImageChecks(folder / "images", tally), TableChecks(folder / "tables", tally)
    zips = ZipChecks(folder / "zips", tally)

    def table(kind: str, anatomy: Anatomy, examples: int = 100) -> Target:
        check = functools.partial(tables.check, kind)
        return Target(kind, examples, _tables(kind, anatomy), check, _file(f"bad.{kind}"))

    some = Target("images", 30, _batches(), images.check, _image_files)
    found = [
        *(some, table("csv", formats.CSV), some, table("jsonl", formats.JSON_LINES)),
        *(some, table("parquet", PARQUET), some, Target("zip", 100, _zips(), zips.check, _file("bad.zip"))),
        *(some, table("json", formats.JSON_LINES), some, table("xlsx", formats.WORKBOOK, 30)),
    ]
    return [each for each in found if not only or each.name in only]


def image(random: Random) -> Item:
    """A hostile image, with its format."""
    kind = random.choice(list(formats.IMAGES))
    donors = bases.images()[kind]
    return kind, mutate(random, random.choice(donors), formats.IMAGES[kind], donors)


def _batches() -> st.SearchStrategy[list[Item]]:
    return st.lists(_RANDOM.map(image), min_size=1, max_size=_IMAGES_AT_ONCE)


def _tables(kind: str, anatomy: Anatomy) -> st.SearchStrategy[bytes]:
    def table(random: Random) -> bytes:
        donors = bases.tables()[kind]
        return mutate(random, random.choice(donors), anatomy, donors)

    return _RANDOM.map(table)


def _zips() -> st.SearchStrategy[bytes]:
    def damaged(random: Random) -> bytes:
        return mutate(random, random.choice(bases.zips()), formats.ZIP, bases.zips())

    def lying(random: Random) -> bytes:
        parts = [_liar(random) for _ in range(random.randint(0, 5))]
        return build(*parts, zip64=random.random() < 0.5, comment=random.choice((b"", b"PK\5\6")))

    return st.one_of(_RANDOM.map(damaged), _RANDOM.map(lying))


def _liar(random: Random) -> Part:
    """A member, some of whose fields are wrong."""
    return Part(
        name=random.choice(_NAMES),
        data=random.choice(list(bases.FILES.values())),
        method=random.choice((0, 8, 8, 0, 12)),
        flags=random.choice((0, 1 << 11, 1 << 3, 1 << 11 | 1 << 3, 1)),
        host=random.choice((0, 3, 19)),
        extra=random.choice(_EXTRAS),
        size=random.choice(_SIZES),
        compressed=random.choice(_SIZES),
        offset=random.choice((None, *_SIZES)),
        zip64=random.random() < 0.7,
        local_extra=random.choice((b"", bytes(40))),
        local_extra_length=random.choice((None, None, 0, 65_535)),
        tail=random.choice((b"", bytes(16), b"PK\7\x08" + bytes(12))),
    )


def _image_files(items: list[Item]) -> dict[str, bytes]:
    return {f"{number:02}-{kind}": data for number, (kind, data) in enumerate(items)}


def _file(name: str) -> Callable[[bytes], dict[str, bytes]]:
    return lambda data: {name: data}
