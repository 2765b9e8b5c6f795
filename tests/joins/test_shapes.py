"""The trial: uploads as people make them, and for each what is found, joined, rejected and said."""

import re
from pathlib import Path

import pytest

from pixlake.errors import BadInput
from pixlake.messages import Options
from tests.builders.museum import Museum, museum, number, photographs, table
from tests.builders.shapes import SHAPES, Shape, long_table, only, paths, write_page
from tests.project import ROOT


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape(tmp_path: Path, shape: Shape) -> None:
    if shape.refused:
        with pytest.raises(BadInput, match=shape.refused):
            shape.put(tmp_path)
        return
    answer = shape.put(tmp_path).answer
    assert (answer.id_column or "", answer.records) == (shape.id_column, shape.records)
    assert (answer.with_image, answer.orphans, answer.rejected) == (shape.with_image, shape.orphans, shape.rejected)
    assert len(answer.warnings) == len(shape.said), answer.warnings
    for pattern, warning in zip(shape.said, answer.warnings, strict=True):
        assert re.search(pattern, warning), warning


@pytest.mark.parametrize("shape", [each for each in SHAPES if not each.earlier], ids=lambda shape: shape.name)
def test_the_image_column_of_a_shape_is_told_with_the_id_column(tmp_path: Path, shape: Shape) -> None:
    if not shape.refused:
        found = re.search(r"; '(?P<column>.*)' names [\d,]+ images", shape.put(tmp_path).answer.id_column_why)
        assert (found["column"] if found else None) == shape.image_column


def test_joins_md_is_current() -> None:
    assert (ROOT / "docs/joins.md").read_text() == write_page(), "run make docs"


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


@pytest.mark.parametrize(("header", "label_first"), [("photo,label", False), ("label,photo", True)])
def test_rows_of_one_image_that_contradict_are_named_where_the_image_is_the_id(
    tmp_path: Path, header: str, label_first: bool
) -> None:
    rows = [["a.jpg", "cat"], ["b.jpg", "dog"], ["a.jpg", "cow"]]
    text = "\n".join([header, *(",".join(reversed(row) if label_first else row) for row in rows)])
    found = Museum(tmp_path).put(text, ["a.jpg", "b.jpg"], Options(id_column="photo"))
    assert [each.detail for each in found.rejects] == [
        "the id 'a.jpg' is taken by table.csv:2, which stays; it differs in 'label'"
    ]
    assert found.images == {"a.jpg": ["a.jpg"], "b.jpg": ["b.jpg"]}


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
    kinds, labels = [n // 3 for n in range(30)], [f"l{n // 3}" for n in range(30)]
    found = Museum(tmp_path).put(table({"filename": images, kind: kinds, "label": labels}), images)
    assert (found.answer.id_column, found.answer.records, found.answer.with_image) == ("filename", 30, 30)
