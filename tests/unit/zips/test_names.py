"""Paths are cleaned or refused; what a file is follows from its path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadUpload
from pixlake.zips.entries import Kind
from pixlake.zips.names import classify, clean_path, fold


@given(st.text())
def test_a_clean_path_stays_in_its_folder_and_is_clean(name: str) -> None:
    try:
        path = clean_path(name)
    except BadUpload:
        return
    assert clean_path(path) == path
    assert not path.startswith("/")
    assert not {".", ".."} & set(path.split("/"))
    assert "\\" not in path
    path.encode()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.jpg", Kind.IMAGE),
        ("a/b.JPEG", Kind.IMAGE),
        ("a.tar.png", Kind.IMAGE),
        ("t.csv", Kind.TABLE),
        ("t.parquet", Kind.TABLE),
        ("a.jsonl", Kind.TABLE),
        ("pixlake.json", Kind.OPTIONS),
        ("top/pixlake.json", Kind.OPTIONS),
        ("top/deep/pixlake.json", Kind.REJECTED),
        ("a", Kind.REJECTED),
        ("jpg", Kind.REJECTED),
        ("a.jpg/b", Kind.REJECTED),
        (".a.jpg", Kind.IGNORED),
        (".git/a.jpg", Kind.IGNORED),
        ("__MACOSX/a.jpg", Kind.IGNORED),
        ("THUMBS.DB", Kind.IGNORED),
    ],
)
def test_the_kind_of_a_file_follows_from_its_path(path: str, kind: Kind) -> None:
    assert classify(path) is kind


@pytest.mark.parametrize("other", ["A.JPG", "a.jpg", "a.Jpg"])
def test_fold_ignores_case(other: str) -> None:
    assert fold(other) == fold("a.jpg")


def test_fold_ignores_unicode_normal_forms() -> None:
    assert fold("É.jpg") == fold("e\u0301.jpg") != fold("e.jpg")
