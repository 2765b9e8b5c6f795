"""The trial: uploads as people make them, and for each what is found, joined, rejected and said."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pixlake.messages import Options
from tests.builders.museum import RECORDS, Museum, first_photograph, museum, number, photographs, table

Upload = tuple[str, list[str]]
CAMERA = "DSC_{any:04d}.jpg"


@dataclass(frozen=True)
class Shape:
    """An upload, and what Split makes of it. `said` is a pattern for each warning."""

    name: str
    upload: Callable[[], Upload]
    id_column: str
    with_image: int = 29
    orphans: int = 2
    records: int = 33
    rejected: int = 0
    said: Sequence[str] = ()
    id_told: str | None = None


def paths(name: str) -> list[str]:
    return sorted(path for _, path in photographs(name))


def by_names(name: str) -> Callable[[], Upload]:
    """Images that tell their records themselves."""
    return lambda: (table(museum()), paths(name))


def by_column(
    name: str = CAMERA, written: Callable[[str], str] = str, column: str = "photo", rows: Sequence[int] = RECORDS
) -> Callable[[], Upload]:
    """A column with the first image of each record, as somebody has `written` it; the second ones nobody names."""

    def cells() -> list[str]:
        firsts = (first_photograph(row, name) for row in rows)
        return [written(path) if path else "" for path in firsts]

    return lambda: (table(museum(rows, **{column: cells()})), paths(name))


def numbered(name: str, ids: Callable[[int], object], index: str | None = None) -> Callable[[], Upload]:
    """Ids that are numbers, behind a data frame's index if `index`."""

    def make() -> Upload:
        columns = museum()
        del columns["inv_no"]
        front = {} if index is None else {index: list(RECORDS)}
        return table({**front, "id": [ids(row) for row in RECORDS], **columns}), paths(name)

    return make


def indexed(index: str, upload: Callable[[], Upload]) -> Callable[[], Upload]:
    """A table that was saved with a data frame's index."""

    def make() -> Upload:
        text, images = upload()
        header, *lines = text.splitlines()
        return "\n".join([f"{index},{header}", *(f"{row},{line}" for row, line in enumerate(lines))]), images

    return make


def only(index: str) -> Upload:
    """Nothing tells the rows apart but the index."""
    columns = museum()
    return table({index: list(RECORDS), "maker": columns["maker"], "height_cm": [1.5] * 33}), paths(CAMERA)


def long_table(differing: int = 0) -> Upload:
    """One row an image. Of the rows of one object, `differing` say another title."""
    shown = [(row, path) for row, path in photographs(CAMERA) if row is not None]
    shown += [(row, "") for row in RECORDS[29:]]
    columns = museum([row for row, _ in shown], photo=[path for _, path in shown])
    columns["title"] = [
        "Another" if 29 <= place < 29 + differing else title for place, title in enumerate(columns["title"])
    ]
    return table(columns), paths(CAMERA)


def shared(with_folder: bool) -> Upload:
    """Base names that all folders share, the folders named by boxes, which the table has or not."""
    boxes = [f"box {row // 2}" for row in RECORDS]
    images = [f"{boxes[row]}/{row % 2 + 1}.jpg" for row in RECORDS[:29]]
    columns = museum(photo=[f"{row % 2 + 1}.jpg" if row < 29 else "" for row in RECORDS])
    return table({**columns, "box": boxes} if with_folder else columns), sorted(images)


FEW = r"None of 33 records have an image, and none of 38 images have a record"
SHAPES = [
    Shape("named by id", by_names("{inv}-{view}.jpg"), "inv_no"),
    Shape("in folders named by id", by_names("img/{inv}/{view}.jpg"), "inv_no"),
    Shape("in folders below those", by_names("{inv}/raw/IMG_{any}.JPG"), "inv_no"),
    Shape("leading zeros", numbered("{record:05d}-{view}.jpg", lambda row: row + 1), "id"),
    Shape("leading zeros in the table", numbered("{record}-{view}.jpg", lambda row: f"{row + 1:05d}"), "id"),
    Shape("folders with leading zeros", numbered("{record:03d}/{view}.jpg", lambda row: row + 1), "id"),
    Shape("numbers in numbered folders", numbered("{record}/{view}.jpg", lambda row: row + 1), "id"),
    Shape("a column", by_column(), "inv_no", orphans=9),
    Shape("a column filled to 91 %", by_column(rows=RECORDS[:31]), "inv_no", orphans=9, records=31),
    Shape("a column of Windows paths", by_column(written=lambda path: f"C:\\scans\\{path}"), "inv_no", orphans=9),
    Shape(
        "a column without extensions", by_column(written=lambda path: path[:-4], column="image"), "inv_no", orphans=9
    ),
    Shape("URLs", by_column(written=lambda path: f"https://cdn.example/x/{path}"), "inv_no", orphans=9),
    Shape("URLs with a query", by_column(written=lambda path: f"https://x.example/{path}?w=800"), "inv_no", orphans=9),
    Shape(
        "URLs with signs",
        by_column("a b {any}.jpg", lambda path: f"//x/{path.replace(' ', '%20')}#1"),
        "inv_no",
        orphans=9,
    ),
    Shape("an image's key beside", by_column(written=lambda path: path[:-4], column="photo_id"), "inv_no", orphans=9),
    Shape("shared names, folders in a column", lambda: shared(True), "inv_no", orphans=0),
    Shape("shared names, folders named by id", by_column("{inv}/{view}.jpg", lambda path: path[-5:]), "inv_no"),
    Shape(
        "shared names",
        lambda: shared(False),
        "inv_no",
        with_image=0,
        orphans=29,
        rejected=29,
        said=[r"29 names in 'photo' fit several images each, such as '1.jpg'. Write the folder", r"None of 33 records"],
    ),
    Shape(
        "one row an image",
        lambda: long_table(),
        "inv_no",
        said=["'inv_no' is repeated: 40 rows, one an image, became 33"],
    ),
    Shape(
        "one row an image, some contradict",
        lambda: long_table(differing=1),
        "inv_no",
        orphans=3,
        rejected=1,
        said=["39 rows, one an image"],
        id_told="inv_no",
    ),
    Shape("the index of a data frame", indexed("Unnamed: 0", by_column()), "inv_no", orphans=9),
    Shape("a nameless index", indexed("", by_names("img/{inv}/{view}.jpg")), "inv_no"),
    Shape("an index and ids", numbered("{record:05d}-{view}.jpg", lambda row: row + 1, "Unnamed: 0"), "id"),
    Shape(
        "an index alone",
        lambda: only("Unnamed: 0"),
        "Unnamed: 0",
        with_image=0,
        orphans=38,
        said=["'Unnamed: 0' is only a row number", FEW],
    ),
    Shape(
        "an index that images are named by",
        lambda: (only("")[0], [f"{row}.jpg" for row in RECORDS]),
        "column_1",
        with_image=33,
        orphans=0,
        said=["'column_1' is only a row number"],
    ),
    Shape(
        "no name fits",
        by_names("IMG_{any}.jpg"),
        "inv_no",
        with_image=0,
        orphans=38,
        said=[rf"{FEW}, by 'inv_no'\. 'IMG_1.jpg' is nearest to 'INV-10\d\d' in 'inv_no'\. .*\. .*\. Set id_column to"],
    ),
    Shape(
        "names of other images",
        by_column(written=lambda path: path.replace("DSC_", "P").lower()),
        "inv_no",
        with_image=0,
        orphans=38,
        said=[rf"{FEW}.* is nearest to 'p00\d\d.jpg' in 'photo'\. .*or image_column to the one that names"],
    ),
    Shape("no table", lambda: ("", []), "", 0, 38, 0),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape(tmp_path: Path, shape: Shape) -> None:
    text, images = shape.upload()
    found = Museum(tmp_path).put(text or {}, images or paths(CAMERA), Options(id_column=shape.id_told))
    answer = found.answer
    assert (answer.id_column or "", answer.records) == (shape.id_column, shape.records)
    assert (answer.with_image, answer.orphans, answer.rejected) == (shape.with_image, shape.orphans, shape.rejected)
    assert len(answer.warnings) == len(shape.said), found.said
    for pattern, warning in zip(shape.said, answer.warnings, strict=True):
        assert re.search(pattern, warning), warning


@pytest.mark.parametrize("name", ["{inv}-{view}.jpg", "img/{inv}/{view}.jpg", "{inv}/raw/{any:03d}.jpg"])
def test_each_image_is_its_own_record_s(tmp_path: Path, name: str) -> None:
    found = Museum(tmp_path).put(table(museum()), paths(name))
    wanted: dict[str, list[str]] = {}
    for record, path in photographs(name):
        if record is not None:
            wanted.setdefault(number(record), []).append(path)
    assert found.images == wanted


def test_zeros_are_left_alone_where_two_ids_meet_by_it(tmp_path: Path) -> None:
    found = Museum(tmp_path).put("id,x\n1,a\n01,b\n2,c\n", ["001.jpg", "01.jpg", "002.jpg"])
    assert found.images == {"01": ["01.jpg"], "2": ["002.jpg"]}


def test_rows_of_one_record_that_contradict_are_named(tmp_path: Path) -> None:
    text, images = long_table(differing=1)
    found = Museum(tmp_path).put(text, images, Options(id_column="inv_no"))
    assert [(each.source, each.reason, each.detail) for each in found.rejects] == [
        (
            "table.csv:31",
            "duplicate_id",
            "the id 'INV-1001' is taken by table.csv:2, which stays; it differs in 'title'",
        )
    ]


def test_a_key_that_only_counts_the_rows_is_called_that(tmp_path: Path) -> None:
    text, images = only("Unnamed: 0")
    assert "only a row number" in Museum(tmp_path).put(text, images).answer.id_column_why


def test_many_rows_without_an_id_of_their_own_are_said(tmp_path: Path) -> None:
    found = Museum(tmp_path).put("id,group,extra\n" + "".join(f"{n % 6},{n // 6},{n}.5\n" for n in range(12)), [])
    assert (found.answer.id_column, found.answer.records, found.answer.rejected) == ("id", 6, 6)
    assert "6 of 12 rows are left out: 'id' is empty there, or an earlier row has the same id" in found.said


def test_a_doubtful_key_is_said_with_the_columns_that_are_one_together(tmp_path: Path) -> None:
    rows = [
        f"land {country},{1950 + year},{(5 * country + year) * 7919 % 10_007}"
        for country in range(1, 5)
        for year in range(5)
    ]
    found = Museum(tmp_path).put("\n".join(["country,year,population", *rows]), [])
    assert found.answer.id_column == "population"
    assert "'country' and 'year' together tell the rows apart" in found.said


@pytest.mark.parametrize("kind", ["class_id", "category_id", "breed_code"])
def test_images_of_one_kind_are_not_one_record(tmp_path: Path, kind: str) -> None:
    images = [f"{n}.jpg" for n in range(30)]
    columns: dict[str, Sequence[object]] = {
        "filename": images,
        kind: [n // 3 for n in range(30)],
        "label": [f"l{n // 3}" for n in range(30)],
    }
    found = Museum(tmp_path).put(table(columns), images)
    assert (found.answer.id_column, found.answer.records, found.answer.with_image) == ("filename", 30, 30)
