"""Uploads as people make them, and for each what is found, joined, rejected and said.

python -m tests.builders.shapes > docs/joins.md
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pixlake.errors import BadTable, BadUpload
from pixlake.messages import Options
from tests.builders.museum import RECORDS, TITLES, Found, Museum, first_photograph, museum, number, photographs, table

Upload = tuple[str, list[str]]
CAMERA = "DSC_{any:04d}.jpg"


@dataclass(frozen=True)
class Shape:
    """An upload, and what Split makes of it. `said` is a pattern for each warning; `refused` one for the error. An
    `earlier` upload was the first of the experiment."""

    name: str
    upload: Callable[[], Upload]
    id_column: str
    with_image: int = 29
    orphans: int = 2
    records: int = 33
    rejected: int = 0
    said: Sequence[str] = ()
    options: Options | None = None
    image_column: str | None = None
    earlier: Callable[[], Upload] | None = None
    refused: str = ""

    def put(self, folder: Path) -> Found:
        """The upload, put into a lake in `folder` after the earlier one."""
        lake = Museum(folder)
        if self.earlier:
            text, images = self.earlier()
            lake.keep(lake.put(text, images))
        text, images = self.upload()
        return lake.put(text or {}, images, self.options)


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


def listed(written: Callable[[list[str]], str]) -> Callable[[], Upload]:
    """A column with all images of each record."""

    def cells() -> list[str]:
        shown = photographs(CAMERA)
        lists = ([path for owner, path in shown if owner == row] for row in RECORDS)
        return [written(each) if each else "" for each in lists]

    return lambda: (table(museum(photos=cells())), paths(CAMERA))


def kinds() -> Upload:
    """What is on each photograph, of as many kinds as photographs."""
    files = paths(CAMERA)[:11]
    return table({"filename": files, "species": TITLES}), files


def two_columns_of_images() -> Upload:
    """The second photographs have a column of their own."""
    shown = photographs(CAMERA)
    second = [next((path for owner, path in shown[29:] if owner == row), "") for row in RECORDS]
    firsts = [first_photograph(row, CAMERA) for row in RECORDS]
    return table(museum(front=firsts, back=second)), paths(CAMERA)


def below(line: str, upload: Callable[[], Upload]) -> Callable[[], Upload]:
    """A table with a line before it."""

    def make() -> Upload:
        text, images = upload()
        return f"{line}\n{text}", images

    return make


def beheaded() -> Upload:
    """No line names the columns."""
    text, images = by_column()()
    return text.partition("\n")[2], images


FEW = r"None of 33 records have an image, and none of 38 images have a record"
SHAPES = [
    Shape("named by id", by_names("{inv}-{view}.jpg"), "inv_no"),
    Shape("in folders named by id", by_names("img/{inv}/{view}.jpg"), "inv_no"),
    Shape("in folders below those", by_names("{inv}/raw/IMG_{any}.JPG"), "inv_no"),
    Shape("leading zeros", numbered("{record:05d}-{view}.jpg", lambda row: row + 1), "id"),
    Shape("leading zeros in the table", numbered("{record}-{view}.jpg", lambda row: f"{row + 1:05d}"), "id"),
    Shape("folders with leading zeros", numbered("{record:03d}/{view}.jpg", lambda row: row + 1), "id"),
    Shape("numbers in numbered folders", numbered("{record}/{view}.jpg", lambda row: row + 1), "id"),
    Shape("a column", by_column(), "inv_no", orphans=9, image_column="photo"),
    Shape(
        "a column filled to 91 %", by_column(rows=RECORDS[:31]), "inv_no", orphans=9, records=31, image_column="photo"
    ),
    Shape(
        "a column of Windows paths",
        by_column(written=lambda path: f"C:\\scans\\{path}"),
        "inv_no",
        orphans=9,
        image_column="photo",
    ),
    Shape(
        "a column without extensions",
        by_column(written=lambda path: path[:-4], column="image"),
        "inv_no",
        orphans=9,
        image_column="image",
    ),
    Shape(
        "URLs",
        by_column(written=lambda path: f"https://cdn.example/x/{path}"),
        "inv_no",
        orphans=9,
        image_column="photo",
    ),
    Shape(
        "URLs with a query",
        by_column(written=lambda path: f"https://x.example/{path}?w=800"),
        "inv_no",
        orphans=9,
        image_column="photo",
    ),
    Shape(
        "URLs with signs",
        by_column("a b {any}.jpg", lambda path: f"//x/{path.replace(' ', '%20')}#1"),
        "inv_no",
        orphans=9,
        image_column="photo",
    ),
    Shape(
        "an image's key beside",
        by_column(written=lambda path: path[:-4], column="photo_id"),
        "inv_no",
        orphans=9,
        image_column="photo_id",
    ),
    Shape("shared names, folders in a column", lambda: shared(True), "inv_no", orphans=0, image_column="photo"),
    Shape(
        "shared names, folders named by id",
        by_column("{inv}/{view}.jpg", lambda path: path[-5:]),
        "inv_no",
    ),
    Shape(
        "shared names",
        lambda: shared(False),
        "inv_no",
        with_image=0,
        orphans=29,
        rejected=29,
        said=[r"29 names in 'photo' fit several images each, such as '1.jpg'. Write the folder", r"None of 33 records"],
        image_column="photo",
    ),
    Shape(
        "one row an image",
        lambda: long_table(),
        "inv_no",
        said=["'inv_no' is repeated: 40 rows, one an image, became 33"],
        image_column="photo",
    ),
    Shape(
        "one row an image, some contradict",
        lambda: long_table(differing=1),
        "inv_no",
        orphans=3,
        rejected=1,
        said=["39 rows, one an image"],
        options=Options(id_column="inv_no"),
        image_column="photo",
    ),
    Shape("the index of a data frame", indexed("Unnamed: 0", by_column()), "inv_no", orphans=9, image_column="photo"),
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
    Shape("lists of images", listed("; ".join), "inv_no", image_column="photos"),
    Shape("comma lists of images", listed(", ".join), "inv_no", image_column="photos"),
    Shape("JSON lists of images", listed(json.dumps), "inv_no", image_column="photos"),
    Shape(
        "comma lists, each ending in a comma",
        listed(lambda paths: "".join(f"{path}, " for path in paths)),
        "inv_no",
        image_column="photos",
    ),
    Shape(
        "two columns of images",
        two_columns_of_images,
        "inv_no",
        orphans=9,
        said=["'back' names 7 images, too, that 'front' does not name, and is not read"],
        image_column="front",
    ),
    Shape("names in another case", numbered("{record:02d}/obj{record}-{view}.JPG", lambda row: f"Obj{row + 1}"), "id"),
    Shape(
        "a file and its kind, no kind twice",
        kinds,
        "filename",
        with_image=11,
        orphans=0,
        records=11,
        image_column="filename",
    ),
    Shape("a hint for Excel", below("sep=,", by_column()), "inv_no", orphans=9, image_column="photo"),
    Shape(
        "no line of column names",
        beheaded,
        "column_1",
        orphans=9,
        said=["its first row .* names no columns and was read as a row"],
        image_column="column_5",
    ),
    Shape(
        "amounts that differ by chance",
        lambda: (
            table({"maker": museum()["maker"], "visitors": [row * 7919 % 10_007 for row in RECORDS]}),
            paths(CAMERA),
        ),
        "visitors",
        with_image=0,
        orphans=38,
        said=["No column looks like a key; 'visitors' was taken", FEW],
    ),
    Shape(
        "an id that many rows repeat",
        lambda: (table({**museum(), "inv_no": [number(row % 20) for row in RECORDS]}), paths("{inv}-{view}.jpg")),
        "inv_no",
        with_image=20,
        orphans=11,
        records=20,
        rejected=13,
        said=["13 of 33 rows are left out: 'inv_no' is empty there, or an earlier row has the same id"],
    ),
    Shape(
        "corrected, with a column that looks better now",
        by_column(rows=RECORDS[:31]),
        "inv_no",
        orphans=9,
        records=31,
        image_column="photo",
        earlier=by_column(),
    ),
    Shape(
        "corrected, the table alone (the lake keeps the images)",
        lambda: (table(museum()), []),
        "inv_no",
        0,
        0,
        earlier=by_column(),
    ),
    Shape("images alone, later", lambda: ("", paths(CAMERA)), "", 0, 38, 0, earlier=by_column()),
    Shape(
        "corrected, without the id column",
        lambda: (table({f"the_{name}": values for name, values in museum().items()}), []),
        "",
        earlier=by_column(),
        refused="the experiment 'museum' is keyed by 'inv_no'",
    ),
    Shape(
        "an empty table",
        lambda: ("\n", []),
        "",
        refused="it is empty; the first line must name the columns",
    ),
    Shape(
        "two columns that tell rows apart together",
        lambda: (table({"box": [f"B{row // 4}" for row in RECORDS], "week": [row % 4 for row in RECORDS]}), []),
        "",
        refused="only 'box' and 'week' together do",
    ),
    Shape("no table", lambda: ("", paths(CAMERA)), "", 0, 38, 0),
]

_HEAD = """\
# What is found in uploads of many shapes
Made by `make docs` from the uploads of `tests/builders/shapes.py`, which a test puts through Split; how ids and images
are found is in [uploads](uploads.md). Each is a museum's table of 33 objects with 38 photographs: 29 objects have one,
seven of them a second one, two photographs are of no object. A column `photo` names an object's first photograph.

"""
_COLUMNS = ("upload", "the table begins", "an image", "id column", "image column", "joined", "rejected", "said")


def write_page() -> str:
    """docs/joins.md."""
    rows = [_COLUMNS, ["---"] * len(_COLUMNS), *map(_row, SHAPES)]
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(shape: Shape) -> Sequence[str]:
    text, images = shape.upload()
    begin = (_code(line) for line in text.splitlines()[:2])
    return (shape.name, "<br>".join(begin), _code(images[0] if images else ""), *_outcome(shape))


def _outcome(shape: Shape) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        try:
            answer = shape.put(Path(folder)).answer
        except (BadTable, BadUpload) as refused:
            yield from ("", "", "refused", "", _escaped(str(refused)))
            return
    yield from (_code(answer.id_column or ""), _code(shape.image_column or ""))
    yield f"{answer.with_image} of {answer.records} records, {answer.orphans} orphans"
    yield str(answer.rejected)
    yield "<br>".join(map(_escaped, answer.warnings))


def _code(text: str) -> str:
    return f"`{_escaped(text)}`" if text else ""


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(write_page(), end="")
