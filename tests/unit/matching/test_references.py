"""Images by a column that names them, against a naive reader of paths."""

from itertools import pairwise, product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.matching.references import AMBIGUOUS, MISSING, match_references, read_references
from tests.builders.examples import examples

PATHS = sorted(
    ["a.jpg", "train/a.jpg", "train/b.jpg", "test/b.jpg", "test/c.JPG", "x;y.png", "deep/er/d.png", "e f.png"]
)


def resolve(cell: str | None, paths: list[str] = PATHS) -> list[str | int]:
    """What a cell names: paths, MISSING or AMBIGUOUS."""
    found = read_references(pa.array([cell], pa.string()), pa.array(paths, pa.string()))
    return [paths[image] if image >= 0 else image for image in found.images.tolist()]


@pytest.mark.parametrize(
    ("cell", "images"),
    [
        (None, []),
        ("", []),
        ("  ", []),
        ("a.jpg", ["a.jpg"]),
        ("./a.jpg", ["a.jpg"]),
        ("/a.jpg", ["a.jpg"]),
        ("train/a.jpg", ["train/a.jpg"]),
        ("train\\a.jpg", ["train/a.jpg"]),
        ("C:\\data\\train\\a.jpg", ["train/a.jpg"]),
        ("/home/me/pets/test/b.jpg", ["test/b.jpg"]),
        ("https://host/pets/train/b.jpg", ["train/b.jpg"]),
        ("d.png", ["deep/er/d.png"]),
        ("er/d.png", ["deep/er/d.png"]),
        ("other/d.png", ["deep/er/d.png"]),
        ("b.jpg", [AMBIGUOUS]),
        ("valid/b.jpg", [AMBIGUOUS]),
        ("c.jpg", ["test/c.JPG"]),
        ("test/c.Jpg", ["test/c.JPG"]),
        ("c", ["test/c.JPG"]),
        ("deep/er/d", ["deep/er/d.png"]),
        ("C.JPG", ["test/c.JPG"]),
        ("TEST\\C", ["test/c.JPG"]),
        ("A.JPG", [AMBIGUOUS]),
        ("B.jpg", [AMBIGUOUS]),
        ("z.jpg", [MISSING]),
        ("d.gif", [MISSING]),
        (" d.png ", ["deep/er/d.png"]),
        ("d.png;c.JPG", ["deep/er/d.png", "test/c.JPG"]),
        ("d.png | c.JPG |", ["deep/er/d.png", "test/c.JPG"]),
        ("d.png, c.JPG,e f.png", ["deep/er/d.png", "test/c.JPG", "e f.png"]),
        ("d.png, c.JPG,", ["deep/er/d.png", "test/c.JPG"]),
        ("d.png, , c.JPG , ,", ["deep/er/d.png", "test/c.JPG"]),
        (", d.png ,", ["deep/er/d.png"]),
        ("d.png,", ["deep/er/d.png"]),
        (";d.png;;", ["deep/er/d.png"]),
        ("d.png, and more", [MISSING]),
        ("x;y.png", ["x;y.png"]),
        ('["d.png", "x;y.png", null, "z.jpg"]', ["deep/er/d.png", "x;y.png", MISSING]),
        ("[]", []),
        ("[d.png", [MISSING]),
    ],
)
def test_a_cell_names_images_by_path_stem_or_list(cell: str | None, images: list[str | int]) -> None:
    assert resolve(cell) == images


def test_a_stem_with_two_candidate_files_is_ambiguous() -> None:
    assert resolve("a.jpg", ["p/a.JPG", "q/a.Jpg"]) == [AMBIGUOUS]
    assert resolve("a.jpg", ["p/a.JPG", "q/a.jpg"]) == ["q/a.jpg"]


def test_names_that_differ_only_in_case_are_told_apart_by_it() -> None:
    paths = pa.array(["A.jpg", "b.JPG"])
    found = read_references(pa.array(["A.jpg", "a.jpg", "B.jpg"]), paths)
    assert (found.images.tolist(), found.by_case) == ([0, MISSING, 1], 1)
    assert read_references(pa.array(["x.jpg"]), pa.array(["p/X.jpg", "q/X.JPG"])).images.tolist() == [AMBIGUOUS]


def test_rows_keep_their_order() -> None:
    cells = pa.array(['["d.png", "a.jpg"]', None, "c.JPG|d.png", "a.jpg", "[]", '["z.png"]'])
    found = read_references(cells, pa.array(PATHS))
    named = [PATHS[image] if image >= 0 else None for image in found.images.tolist()]
    assert found.rows.tolist() == [0, 0, 2, 2, 3, 5]
    assert named == ["deep/er/d.png", "a.jpg", "test/c.JPG", "deep/er/d.png", "a.jpg", None]
    assert found.texts.to_pylist() == ["d.png", "a.jpg", "c.JPG", "d.png", "a.jpg", "z.png"]


def test_an_image_belongs_to_the_record_of_the_first_row_that_names_it() -> None:
    """Row 0 is no record; rows 1 and 2 share an image; row 2 names one twice."""
    cells = pa.array(["a.jpg", "d.png|c.JPG", "c.JPG|z.png|e f.png|c.JPG"])
    found = match_references(read_references(cells, pa.array(PATHS)), np.array([-1, 1, 0]), 3, len(PATHS))
    images = [[PATHS[image] for image in found.images[a:b]] for a, b in pairwise(found.starts)]
    assert images == [["e f.png"], ["deep/er/d.png", "test/c.JPG"], []]
    owners = {path: owner for path, owner in zip(PATHS, found.record_of_image.tolist(), strict=True) if owner >= 0}
    assert owners == {"test/c.JPG": 1, "e f.png": 0, "deep/er/d.png": 1}
    assert found.counts.tolist() == [1, 2, 0]


def resolve_naively(reference: str, paths: list[str]) -> str | int:
    if reference in paths:
        return reference
    parts = reference.split("/")
    for count in range(len(parts), 0, -1):
        fitting = [path for path in paths if path.split("/")[-count:] == parts[-count:]]
        if fitting:
            return fitting[0] if len(fitting) == 1 else AMBIGUOUS
    return MISSING


# every path of two names below up to three folders of three names
FOLDERS = [folders for depth in range(4) for folders in product("pqr", repeat=depth)]
NAMES = st.sampled_from(["/".join([*folders, name]) for folders in FOLDERS for name in ("1.png", "2.png")])


@examples(200)
@given(st.lists(NAMES, min_size=1, unique=True), st.lists(NAMES, min_size=1, max_size=8))
def test_resolving_equals_that_of_a_naive_reader(paths: list[str], references: list[str]) -> None:
    paths = sorted(paths)
    found = read_references(pa.array(references), pa.array(paths)).images.tolist()
    named = [paths[image] if image >= 0 else image for image in found]
    assert named == [resolve_naively(reference, paths) for reference in references]
