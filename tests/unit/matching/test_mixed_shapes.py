"""Uploads of two shapes at once: several columns that name images, numbered folders beside numbered files."""

from pathlib import Path

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
