"""Images and records by name, against a naive matcher."""

import itertools
import re
from itertools import product

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.matching.names import Matches, comparable, find_owners, parse_names
from tests.builders.examples import examples


def match(paths: list[str], ids: list[str]) -> tuple[list[int], list[list[str]]]:
    """The record of each image, and the images of each record."""
    names = parse_names(pa.array(paths, pa.string()))
    owners = find_owners(names.stems, names.bases, names.numbers, comparable(pa.array(ids, pa.string())))
    found = owners.matches(len(ids))
    return found.record_of_image.tolist(), [[paths[image] for image in images] for images in lists(found)]


def lists(matches: Matches) -> list[list[int]]:
    return [matches.images[start:stop].tolist() for start, stop in itertools.pairwise(matches.starts)]


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("a.jpg", 0),
        ("deep/er/a.jpg", 0),
        ("a-1.jpg", 1),
        ("a-2.jpg", 0),
        ("a-001.PNG", 0),
        ("a", 0),
        ("a-1-2.jpg", 1),
        ("a-1.tar.jpg", -1),
        ("a_1.jpg", -1),
        ("a-.jpg", -1),
        ("a-x.jpg", -1),
        ("-1.jpg", -1),
        ("A.jpg", -1),
        ("7.jpg", -1),
        ("007.jpg", 2),
        ("007-99999999999999999999999.jpg", 2),
        ("a.b.jpg", 3),
        ("x\ny-1.jpg", 4),
    ],
)
def test_an_image_belongs_to_the_record_that_its_stem_names(path: str, record: int) -> None:
    assert match([path], ["a", "a-1", "007", "a.b", "x\ny"])[0] == [record]


def test_a_record_named_by_the_whole_stem_wins() -> None:
    paths = ["a-1-1.jpg", "a-1.jpg", "a-2.jpg", "a.jpg"]
    assert match(paths, ["a", "a-1"])[1] == [["a.jpg", "a-2.jpg"], ["a-1.jpg", "a-1-1.jpg"]]


def test_images_are_in_the_order_of_their_numbers() -> None:
    paths = sorted([*(f"p/a-{n}.jpg" for n in range(12)), "p/a.jpg", "q/a-2.jpg", "q/a-02.png"])
    expected = ["p/a.jpg", "p/a-0.jpg", "p/a-1.jpg", "p/a-2.jpg", "q/a-02.png", "q/a-2.jpg"]
    assert match(paths, ["a"])[1] == [[*expected, *(f"p/a-{n}.jpg" for n in range(3, 12))]]


def test_names_match_across_unicode_normal_forms() -> None:
    assert match(["u\u0308ber-1.jpg"], ["\u00fcber"])[0] == [0]
    assert match(["\u00fcber-1.jpg"], ["u\u0308ber"])[0] == [0]


def test_without_images_or_records_nothing_matches() -> None:
    assert match([], ["a"]) == ([], [[]])
    assert match(["a.jpg"], []) == ([-1], [])
    assert match([], []) == ([], [])


def match_naively(paths: list[str], ids: list[str]) -> tuple[list[int], list[list[str]]]:
    owners: list[int] = []
    found: list[list[tuple[int, str]]] = [[] for _ in ids]
    for path in paths:
        name = path.rsplit("/", 1)[-1]
        stem = name.rsplit(".", 1)[0] if "." in name[1:] else name
        based = re.fullmatch(r"(.+)-([0-9]+)", stem)
        if stem in ids:
            owner, number = ids.index(stem), -1
        elif based and based[1] in ids:
            owner, number = ids.index(based[1]), int(based[2])
        else:
            owner, number = -1, 0
        owners.append(owner)
        if owner >= 0:
            found[owner].append((number, path))
    return owners, [[path for _, path in sorted(images)] for images in found]


def words(letters: str) -> list[str]:
    """All of one letter or two."""
    return [*letters, *map("".join, product(letters, repeat=2))]


# a name and up to two numbers, from lists, which Hypothesis draws from faster than from an expression
NUMBERS = ["", *(f"-{number}" for number in words("01"))]
STEMS = st.builds("{}{}{}".format, st.sampled_from(words("ab01")), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))


@examples(200)
@given(
    st.lists(st.builds("{}{}.{}".format, st.sampled_from(["", "p/", "p/q/"]), STEMS, st.sampled_from(["jpg", "png"]))),
    st.lists(STEMS, unique=True),
)
def test_matching_equals_that_of_a_naive_matcher(paths: list[str], ids: list[str]) -> None:
    paths, ids = sorted(set(paths)), sorted(ids)
    assert match(paths, ids) == match_naively(paths, ids)
