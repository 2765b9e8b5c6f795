"""Uploads of two shapes at once: several columns that name images, numbered folders beside numbered files."""

from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from pixlake.messages import Options
from tests.builders.museum import Museum


def one_row_an_image(columns: str, cell: str) -> str:
    rows = [f"sku-{sku:02d},{cell.format(sku=sku, n=n)},{sku * 3}" for sku in range(20) for n in (1, 2, 3)]
    return "\n".join([f"sku,{columns},price", *rows])


IMAGES = [f"p{sku:02d}_{n}.jpg" for sku in range(20) for n in (1, 2, 3)]


def test_one_row_an_image_with_a_second_column_that_names_it_loses_no_row(tmp_path: Path) -> None:
    table = one_row_an_image("thumbnail_url,photo_file", "https://thumbs.example/{sku:02d}/{n}.png,p{sku:02d}_{n}.jpg")
    found = Museum(tmp_path).put(table, IMAGES)
    assert (found.answer.id_column, found.answer.records, found.answer.orphans) == ("sku", 20, 0)
    assert found.rejects == []


def test_the_key_that_was_guessed_first_is_kept_by_the_same_upload_again(tmp_path: Path) -> None:
    table = one_row_an_image("thumbnail_url,photo_file", "https://thumbs.example/{sku:02d}/{n}.png,p{sku:02d}_{n}.jpg")
    museum = Museum(tmp_path)
    first = museum.keep(museum.put(table, IMAGES))
    again = museum.put(table, IMAGES)
    assert (again.answer.id_column, again.answer.records) == (first.answer.id_column, first.answer.records)


def test_numbered_folders_give_no_images_to_records_whose_images_are_named(tmp_path: Path) -> None:
    table = "\n".join(["id,label", *(f"{number},{number % 7}" for number in range(100))])
    named = [f"test/{number}.jpg" for number in range(100)]
    classes = [f"train/{kind}/scan-{kind}{n:02d}x.jpg" for kind in range(10) for n in range(30)]
    found = Museum(tmp_path).put(table, sorted([*named, *classes]))
    assert (found.answer.with_image, found.answer.orphans) == (100, 300)


@pytest.mark.parametrize(
    "strange", [[], ["099/1.jpg"], [f"{n:03d}/{view}.jpg" for n in range(100, 140) for view in (1, 2, 3)]]
)
def test_folders_named_by_id_hold_their_images_beside_folders_of_no_id(tmp_path: Path, strange: list[str]) -> None:
    table = "\n".join(["id,x", *(f"{number:03d},{number % 5}" for number in range(1, 13))])
    own = {f"{number:03d}": [f"{number:03d}/{view}.jpg" for view in (1, 2)] for number in range(1, 13) if number != 3}
    found = Museum(tmp_path).put(table, sorted([*strange, *(path for paths in own.values() for path in paths)]))
    assert found.images == own
    assert found.answer.orphans == len(strange)


def products(first: int = 1, place: str = "Image Position") -> str:
    rows = [
        f"cup-{cup},{f'Cup {cup}' if n == 0 else ''},https://cdn.example/c{cup}_{n}.png?v=16,{first + n}"
        for cup in range(9)
        for n in range(1 + cup % 3)
    ]
    return "\n".join([f"Handle,Title,Image Src,{place}", *rows])


CUPS = [f"c{cup}_{n}.png" for cup in range(9) for n in range(1 + cup % 3)]


@pytest.mark.parametrize("options", [Options(), Options(id_column="Handle")])
@pytest.mark.parametrize("first", [0, 1])
def test_images_of_a_product_in_rows_that_are_counted_are_one_record(
    tmp_path: Path, options: Options, first: int
) -> None:
    found = Museum(tmp_path).put(products(first), CUPS, options)
    assert (found.answer.id_column, found.answer.records, found.answer.orphans) == ("Handle", 9, 0)
    assert found.rejects == []


@pytest.mark.parametrize(("first", "place"), [(36, "Size no"), (1, "Waist")])
def test_rows_that_say_more_than_the_place_of_an_image_are_not_merged(tmp_path: Path, first: int, place: str) -> None:
    found = Museum(tmp_path).put(products(first, place), CUPS, Options(id_column="Handle"))
    assert [reject.reason for reject in found.rejects] == ["duplicate_id"] * 9


def test_a_repeated_id_is_found_where_no_column_tells_the_rows_apart(tmp_path: Path) -> None:
    cells = [f"p{sku:02d}_{n}.jpg" if (sku, n) not in {(3, 2), (5, 2)} else "" for sku in range(24) for n in (1, 2)]
    rows = [f"sku-{place // 2:02d},{cell},{place // 2 % 5}" for place, cell in enumerate(cells)]
    found = Museum(tmp_path).put("\n".join(["sku,photo,price", *rows]), sorted(filter(None, cells)))
    assert (found.answer.id_column, found.answer.with_image, found.answer.orphans) == ("sku", 24, 0)


def test_records_that_name_an_image_of_an_earlier_one_are_without_it_and_that_is_said(tmp_path: Path) -> None:
    rows = [f"c{number:02d},p{number // 3}.jpg,caption {number}" for number in range(12)]
    found = Museum(tmp_path).put("\n".join(["id,photo,caption", *rows]), [f"p{number}.jpg" for number in range(4)])
    (said,) = found.answer.warnings
    assert said.startswith("8 records name images that an earlier one has, and are without them, for")
    assert "'c01' names 'p0.jpg', which is that of 'c00'" in said
    assert found.answer.with_image == 4
    assert [reject.reason for reject in found.rejects] == ["image_taken"] * 8


def test_an_image_named_twice_by_one_record_is_nothing_to_say(tmp_path: Path) -> None:
    rows = ["id,photo", *(f"c{number},p{number}.jpg;p{number}.jpg" for number in range(6))]
    assert Museum(tmp_path).put("\n".join(rows), [f"p{number}.jpg" for number in range(6)]).answer.warnings == ()


def test_rows_whose_first_is_in_another_table_are_said(tmp_path: Path) -> None:
    tables = {
        "names.csv": "\n".join(["id,name", *(f"{n},name {n}" for n in range(9))]),
        "prices.csv": "\n".join(["id,price", *(f"{n},{n}.5" for n in range(9))]),
    }
    (said,) = Museum(tmp_path).put(tables, []).answer.warnings
    assert said.startswith(
        "9 of 18 rows are left out: 'id' is empty there, or an earlier row has the same id. Of 9 the"
    )
    assert said.endswith("make one table of them, with one row for each id")


def test_ids_that_a_spreadsheet_has_shortened_are_said(tmp_path: Path) -> None:
    rows = [f"4.00638E+12,title {n}" for n in range(6)]
    (said,) = Museum(tmp_path).put("\n".join(["ean,title", *rows, "4.1E+12,x"]), []).answer.warnings[-1:]
    assert said.startswith("'ean' holds numbers that a spreadsheet program has shortened, such as '4.00638E+12'")


def fronts_and_backs(backs: str) -> tuple[str, list[str]]:
    rows = [f"c{n:02d},f{n}.jpg,{backs.format(n=n)}" for n in range(9)]
    return "\n".join(["id,front,back", *rows]), sorted(f"{side}{n}.jpg" for side in "fb" for n in range(9))


def test_a_second_column_that_names_other_images_is_said(tmp_path: Path) -> None:
    found = Museum(tmp_path).put(*fronts_and_backs("b{n}.jpg"))
    (said,) = found.answer.warnings
    assert said.startswith("'back' names 9 images, too, that 'front' does not name, and is not read, for one")
    assert "Set image_column to 'back'" in said


def test_a_second_column_of_other_names_of_the_same_images_is_nothing_to_say(tmp_path: Path) -> None:
    table, images = fronts_and_backs("https://cdn.example/f{n}.jpg?w=80")
    assert Museum(tmp_path).put(table, [image for image in images if image[0] == "f"]).answer.warnings == ()


def test_an_image_column_that_is_set_is_no_guess(tmp_path: Path) -> None:
    found = Museum(tmp_path).put(*fronts_and_backs("b{n}.jpg"), Options(image_column="back"))
    assert (found.answer.with_image, found.answer.warnings) == (9, ())


Form = Literal["NFC", "NFD"]
INSECTS = [f"Insect{letter}" for letter in "abcdefgh"]


@pytest.mark.parametrize("name", ["{}.JPG", "{}-1.jpg", "photos/{}/1.jpg", "{}/raw/a-{}.png"])
def test_names_in_another_case_are_joined_and_counted(tmp_path: Path, name: str) -> None:
    for place, written in enumerate([str.upper, str.lower]):
        images = sorted(name.format(written(each), n) for n, each in enumerate(INSECTS))
        found = Museum(tmp_path / str(place)).put("\n".join(["code,x", *(f"{each},1" for each in INSECTS)]), images)
        assert (found.answer.id_column, found.answer.with_image, found.answer.orphans) == ("code", 8, 0)
        assert found.answer.id_column_why.endswith("; 8 images found by names in another case")


def test_a_column_names_images_in_another_case(tmp_path: Path) -> None:
    images = sorted(f"{each}.JPG" for each in INSECTS)
    rows = [f"id{n},{each.upper()}.jpg" for n, each in enumerate(INSECTS)]
    found = Museum(tmp_path).put("\n".join(["id,photo", *rows]), images)
    assert (found.answer.with_image, found.answer.orphans, found.rejects) == (8, 0, [])
    assert found.answer.id_column_why.endswith("; 8 images found by names in another case")


def test_case_is_kept_where_two_ids_or_two_files_meet_without_it(tmp_path: Path) -> None:
    found = Museum(tmp_path / "ids").put("id,x\nab,1\nAB,2\ncd,3\n", ["Ab.jpg", "CD.jpg", "ab.jpg"])
    assert found.images == {"ab": ["ab.jpg"], "cd": ["CD.jpg"]}
    found = Museum(tmp_path / "files").put("id,x\nab,1\ncd,2\n", ["AB.jpg", "Ab.jpg", "CD-1.jpg", "Cd-2.jpg"])
    assert found.images == {"cd": ["CD-1.jpg", "Cd-2.jpg"]}


@pytest.mark.parametrize("name", ["{}.jpg", "{}-2.jpg", "{}/1.jpg", "IMG.jpg"])
@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_any_unicode_form_are_joined(tmp_path: Path, name: str, forms: tuple[Form, Form]) -> None:
    words = ["Käfer", "Hornisse", "Mücke", "Größe"]
    paths = [f"{n}/{name.format(normalize(forms[0], word))}" for n, word in enumerate(words)]
    cells = [normalize(forms[1], path if name == "IMG.jpg" else "") for path in paths]
    rows = [f"{normalize(forms[1], word)},{cell}" for word, cell in zip(words, cells, strict=True)]
    found = Museum(tmp_path).put("\n".join(["code,photo", *rows]), sorted(paths))
    assert (found.answer.with_image, found.answer.orphans, found.rejects) == (4, 0, [])
