"""Keys fit on S3 and on any disk, never meet, and say what they stand for."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.zips.keys import image_key, table_key

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120)
PATHS = st.lists(NAMES, min_size=1, max_size=12).map(lambda names: "/".join([*names[:-1], f"{names[-1]}.jpg"]))


@given(PATHS, st.booleans())
def test_a_key_is_valid_on_s3_and_on_any_disk(path: str, case_collision: bool) -> None:
    key = image_key(path, case_collision=case_collision)
    assert key.isascii()
    assert len(key) <= 700
    assert key.endswith(".jpg")
    for part in key.split("/"):
        assert 0 < len(part) <= 255
        assert not part.endswith((".", " "))
        assert not set('<>:"\\|?*#& ') & set(part)


@given(PATHS, PATHS)
def test_different_paths_have_different_keys(one: str, other: str) -> None:
    assert (one == other) == (image_key(one) == image_key(other))
    assert image_key(one) != image_key(one, case_collision=True)


@pytest.mark.parametrize(
    "path", ["a.jpg", "Ünï/cödé 1.png", "100%.jpg", "a~b.jpg", "con.jpg", "d./x.jpg", "p.jpg/q.jpg"]
)
def test_a_short_key_is_decoded_to_its_path(path: str) -> None:
    assert unquote(image_key(path)) == path


@pytest.mark.parametrize(
    ("path", "key"), [("CON.jpg", "%43ON.jpg"), ("aux/a.jpg", "%61ux/a.jpg"), ("a./b.jpg", "a%2E/b.jpg")]
)
def test_names_that_windows_forbids_are_escaped(path: str, key: str) -> None:
    assert image_key(path) == key


def test_a_folder_and_a_file_of_one_name_have_keys_that_do_not_clash() -> None:
    assert not image_key("a.jpg/b.jpg").startswith(image_key("a.jpg") + "/")


def test_long_names_get_a_digest_and_keep_their_extension() -> None:
    one, other = "é" * 300 + "1.jpg", "é" * 300 + "2.jpg"
    assert image_key(one) != image_key(other)
    assert "%~" not in image_key(one)
    deep = "/".join(["folder"] * 200) + "/a.jpg"
    assert image_key(deep).startswith("~")
    assert image_key(deep) != image_key(deep, case_collision=True)


@pytest.mark.parametrize("path", ["pets.csv", "my data/tëst.csv"])
def test_a_table_keeps_its_path(path: str) -> None:
    assert table_key(path) == path


@pytest.mark.parametrize(
    "path", ["a~b.csv", "100%.csv", "é" * 130 + ".csv", "a.csv/b.csv", "/".join(["é" * 90] * 5) + ".csv"]
)
def test_a_table_whose_path_is_no_valid_key_gets_an_images_key(path: str) -> None:
    assert table_key(path) == image_key(path) != path


def test_a_table_that_differs_only_in_case_gets_another_key() -> None:
    assert table_key("a.csv", case_collision=True) not in {"a.csv", table_key("A.csv", case_collision=True)}
