"""Small tables, in which anything may differ by chance: a row about an image is keyed by the image's name, unless
another column looks like a key."""

from pathlib import Path

import pytest

from pixlake.messages import Options
from tests.builders.museum import Museum, table

SPECIES = ["Sparrow", "Robin", "Wren", "Magpie", "Blackbird", "Great tit"]
FILES = [f"IMG_{n:04d}.jpg" for n in range(len(SPECIES))]


def taken_from(columns: dict[str, list[str]], folder: Path, images: list[str] | None = None) -> tuple[str | None, str]:
    """The id column, and what is said."""
    found = Museum(folder).put(table(columns), FILES if images is None else images)
    return found.answer.id_column, found.said


@pytest.mark.parametrize("kind", ["species", "label", "class", "category", "title", "name", "caption", "Tierart"])
@pytest.mark.parametrize("file", ["filename", "image", "photo", "image_path", "Datei"])
def test_of_a_file_and_a_word_the_file_is_the_id(tmp_path: Path, file: str, kind: str) -> None:
    assert taken_from({file: FILES, kind: SPECIES}, tmp_path / "a") == (file, "")
    assert taken_from({kind: SPECIES, file: FILES}, tmp_path / "b") == (file, "")


def test_images_that_are_not_there_yet_change_nothing(tmp_path: Path) -> None:
    assert taken_from({"species": SPECIES, "filename": FILES}, tmp_path, [])[0] == "filename"


def test_a_later_upload_of_the_same_kinds_replaces_nothing(tmp_path: Path) -> None:
    museum = Museum(tmp_path)
    first = museum.keep(museum.put(table({"filename": FILES, "species": SPECIES}), FILES))
    others = [f"DSC_{n:04d}.jpg" for n in range(len(SPECIES))]
    second = museum.put(table({"filename": others, "species": SPECIES}), others)
    assert not {row["record_id"] for row in first.records} & {row["record_id"] for row in second.records}


@pytest.mark.parametrize(
    "more",
    [
        {"age": ["3", "41", "17", "29", "8", "64"]},
        {"taken": [f"2026-05-0{n}T10:30:00" for n in range(1, 7)]},
        {"weight": ["3.5", "4.1", "1.7", "2.9", "8.3", "6.4"]},
        {"species": SPECIES, "note": [f"{word} at dusk" for word in SPECIES]},
    ],
    ids=" ".join,
)
def test_what_differs_by_chance_behind_a_file_is_not_the_id(tmp_path: Path, more: dict[str, list[str]]) -> None:
    assert taken_from({"filename": FILES, **more}, tmp_path) == ("filename", "")


@pytest.mark.parametrize(
    "values",
    [
        [f"INV-{n}" for n in range(1001, 1007)],
        ["A12", "B7", "C1003", "D44", "A9", "F60"],
        ["2019.14.3", "2019.14.4", "2020.1.17", "1998.301.2", "2003.77.1", "2011.20.31"],
        ["ab-01/7", "ab-01/8", "cd-02/1", "cd-02/2", "cd-03/9", "ef-11/1"],
        [f"400638133393{n}" for n in range(1, 7)],
    ],
)
def test_values_shaped_like_codes_are_the_id_wherever_they_stand(tmp_path: Path, values: list[str]) -> None:
    assert taken_from({"photo": FILES, "object": values, "title": SPECIES}, tmp_path / "a") == ("object", "")
    assert taken_from({"photo": FILES, "object": values}, tmp_path / "b") == ("object", "")


@pytest.mark.parametrize("key", ["id", "sku", "inv_no", "code", "Artikelnummer", "nr"])
def test_a_column_called_like_a_key_is_the_id_whatever_its_values(tmp_path: Path, key: str) -> None:
    assert taken_from({"photo": FILES, key: SPECIES}, tmp_path) == (key, "")


def test_words_before_the_file_of_a_table_that_says_more_are_the_id_but_doubtful(tmp_path: Path) -> None:
    column, said = taken_from({"name": SPECIES, "photo": FILES, "weight": ["1.5"] * 6}, tmp_path)
    assert column == "name"
    assert "'name' was taken" in said
    assert "or set id_column to 'photo' for one record an image" in said


def test_a_guessed_key_is_said_with_each_upload_until_it_is_set(tmp_path: Path) -> None:
    museum = Museum(tmp_path)
    text = table({"name": SPECIES, "photo": FILES, "weight": ["1.5"] * 6})
    assert museum.keep(museum.put(text, FILES)).answer.guessed
    again = museum.put(text, FILES)
    assert again.answer.guessed
    assert "The experiment is keyed by 'name', which its first upload took though it looks like no key" in again.said
    told = museum.put(text, FILES, Options(id_column="name"))
    assert (told.answer.guessed, told.said) == (False, "")


@pytest.mark.parametrize("kind", ["species", "Label", "class_name", "title", "caption"])
def test_a_kind_is_the_id_of_no_image(tmp_path: Path, kind: str) -> None:
    assert taken_from({kind: SPECIES, "photo": FILES, "weight": ["1.5"] * 6}, tmp_path) == ("photo", "")


def test_kinds_alone_are_the_id_but_doubtful(tmp_path: Path) -> None:
    column, said = taken_from({"species": SPECIES, "weight": ["1.5"] * 6}, tmp_path, [])
    assert column == "species"
    assert "'species' was taken" in said


def test_a_year_behind_a_title_is_not_the_id(tmp_path: Path) -> None:
    years = [str(1990 + n) for n in range(len(SPECIES))]
    assert taken_from({"title": SPECIES, "year": years, "poster": FILES}, tmp_path)[0] == "poster"


def test_folders_of_classes_are_not_the_ids_of_files(tmp_path: Path) -> None:
    labels = ["cat", "dog", "owl"]
    images = [f"{label}/{n}.jpg" for label in labels for n in (1, 2)]
    named = [f"{label}/1.jpg" for label in labels]
    assert taken_from({"filename": named, "label": labels}, tmp_path, images)[0] == "filename"


def test_folders_of_classes_are_ids_where_nothing_names_files(tmp_path: Path) -> None:
    images = [f"{word}/{n}.jpg" for word in SPECIES for n in (1, 2)]
    assert taken_from({"species": SPECIES, "habitat": ["wood"] * 6}, tmp_path, images)[0] == "species"
