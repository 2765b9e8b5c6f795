"""A record and its image that come in different uploads are joined, whichever came first."""

import itertools
import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixlake.matching.fits import Fits
from pixlake.messages import Effect
from tests.builders.histories import Tables, uploads
from tests.builders.tables import Dictionary, Said, assert_agreement, tabulate
from tests.doubles.tables import MemoryCatalog
from tests.lakes.test_erasure import erase
from tests.lakes.test_uploads import interleave

IMAGES = ["a.jpg", "a-2.jpg", "x/B.jpg", "07.jpg", "b/1.jpg"]
IDS = ["a", "b", "7", "07"]
TABLE, LATE = Said(1, {"a": [], "b": []}), Said(2, orphans=["a.jpg", "a-2.jpg", "c.jpg"])


def fits(image: str, record: str) -> tuple[int, int] | None:
    """How well, by names alone, 0 is best; and the image's number."""
    *folders, name = re.sub(r"\.\w+$", "", image).split("/")
    base, numbered = re.sub(r"-\d+$", "", name), re.search(r"\d+$", name)
    number = int(numbered[0]) + 1 if numbered else 0
    texts = [text for text in (name, base, *reversed(folders)) if text == name or not text.isdigit()]
    if record in texts:
        return texts.index(record), 0 if record == name else number
    if name.isdigit() and record.isdigit():
        return (50, 0) if int(name) == int(record) else None
    lower = [text.lower() for text in texts]
    return (100 + lower.index(record), 0 if record == lower[0] else number) if record in lower else None


def expected(*some: Said) -> dict[str, dict[Any, Any]]:
    model = Dictionary(fits=fits)
    for said in some:
        model.add(said)
    return model.tables()


@pytest.fixture
def joining(catalog: MemoryCatalog) -> Tables:
    return Tables(catalog, Fits)


def images(tables: Tables) -> dict[str, list[str]]:
    rows = tables.rows()
    assert_agreement(rows)
    return {row["record_id"]: row["image_paths"] for row in rows["records"]}


@pytest.mark.parametrize("order", [*itertools.permutations([TABLE, LATE, Said(3, {"a": []}, content="y")])])
def test_a_record_has_its_image_whichever_came_first(joining: Tables, order: tuple[Said, ...]) -> None:
    joining.put(*order)
    assert images(joining) == {"a": ["a.jpg", "a-2.jpg"], "b": []}
    assert {key for key in tabulate(joining.rows())["predictions"] if key[0] is None} == {(None, "c.jpg")}


@settings(max_examples=10)
@given(uploads(complete=False, images=IMAGES, ids=IDS), st.lists(st.booleans(), min_size=14, max_size=14))
def test_uploads_in_any_order_and_two_at_once_end_as_a_dictionary_ends(
    catalog: MemoryCatalog, some: list[Said], turns: list[bool]
) -> None:
    tables = Tables(catalog, Fits)
    tables.put(*some[2:])
    interleave(tables.steps(some[0]), tables.steps(some[1]), turns)
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows) == expected(*some) == expected(*reversed(some))


@settings(max_examples=8)
@given(uploads(complete=True, images=IMAGES, ids=IDS))
def test_complete_uploads_take_what_was_joined_with_them(catalog: MemoryCatalog, some: list[Said]) -> None:
    tables = Tables(catalog, Fits)
    tables.put(*some)
    rows = tables.rows()
    assert_agreement(rows)
    found, must = tabulate(rows), expected(*some)
    assert (found["records"], found["embeddings"]) == (must["records"], must["embeddings"])


def test_an_image_that_an_upload_names_for_a_record_is_that_ones(joining: Tables) -> None:
    joining.put(TABLE, LATE, Said(0, {"b": ["a.jpg"]}))
    assert images(joining) == {"a": ["a-2.jpg"], "b": ["a.jpg"]}


def test_a_newer_row_with_images_adds_them_to_those_that_fit(joining: Tables) -> None:
    joining.put(TABLE, LATE, Said(3, {"a": ["front.jpg"]}))
    assert images(joining)["a"] == ["front.jpg", "a.jpg", "a-2.jpg"]


def test_an_image_that_fits_two_records_alike_is_nobodys(joining: Tables) -> None:
    joining.put(Said(1, {"7": []}), Said(2, orphans=["007.jpg"]))
    assert images(joining) == {"7": ["007.jpg"]}
    joining.put(Said(3, {"07": []}))
    assert images(joining) == {"7": [], "07": []}


def test_the_effect_counts_the_records_of_others_that_got_an_image(joining: Tables) -> None:
    joining.put(TABLE)
    effects = joining.put(LATE)
    assert effects["records"] == Effect(changed=1)
    assert joining.put(replace(LATE, day=5))["records"] == Effect()


def test_the_effect_counts_rows_of_the_upload_once(joining: Tables) -> None:
    effects = joining.put(LATE, TABLE, Said(3, {"c": [], "d": []}))
    assert effects["records"] == Effect(new=2)
    assert effects["embeddings"] == Effect(changed=1)
    effects = joining.put(Said(4, {"e": []}), Said(5, orphans=["e.jpg", "f.jpg"]))
    assert (effects["records"], effects["embeddings"]) == (Effect(changed=1), Effect(new=2))


@pytest.mark.parametrize(
    "order",
    [*itertools.permutations([Said(1, orphans=["a.jpg"]), Said(2, {"a": []}, content="a.jpg"), Said(4, {"a": []})])],
)
@pytest.mark.parametrize("last", [True, False])
def test_how_well_an_image_fits_follows_the_newest_rows(joining: Tables, order: tuple[Said, ...], last: bool) -> None:
    other = Said(3, {"b": []}, content="a.jpg")
    joining.put(*([*order, other] if last else [other, *order]))
    assert images(joining) == {"a": [], "b": ["a.jpg"]}


@pytest.mark.parametrize("done", range(1, 6))
def test_what_fits_no_longer_is_named_by_nobody_where_an_upload_is_cut_short(joining: Tables, done: int) -> None:
    renamed = Said(3, {"a": []}, content="other.jpg")
    joining.put(Said(1, {"a": []}), Said(2, orphans=["a.jpg"]))
    assert images(joining) == {"a": ["a.jpg"]}
    list(itertools.islice(joining.steps(renamed), done))
    joining.put(Said(4, {"z": []}), renamed)
    assert images(joining) == {"a": [], "z": []}


@pytest.mark.parametrize("done", range(1, 6))
def test_an_upload_that_is_cut_short_while_it_joins_is_finished_by_the_next(joining: Tables, done: int) -> None:
    joining.put(TABLE)
    list(itertools.islice(joining.steps(LATE), done))
    joining.put(Said(4, {"z": []}), LATE)
    assert images(joining) == {"a": ["a.jpg", "a-2.jpg"], "b": [], "z": []}


def test_a_row_that_names_an_image_takes_it_when_it_comes_and_no_other(joining: Tables) -> None:
    joining.put(Said(1, {"a": [], "b": []}, content="photos\\Front 1.JPG"), LATE, Said(3, orphans=["Front 1.jpg"]))
    assert images(joining) == {"a": [], "b": []}
    joining.put(Said(4, {"b": []}, content="none"))
    assert images(joining) == {"a": ["Front 1.jpg"], "b": []}


@pytest.mark.parametrize(
    ("said", "left"), [([], ["a-2.jpg"]), ([Said(1, {"a": ["front.jpg"]})], ["front.jpg", "a-2.jpg"])]
)
def test_a_deleted_image_that_fitted_leaves_the_record_its_others(
    joining: Tables, said: list[Said], left: list[str]
) -> None:
    joining.put(TABLE, *said, LATE)
    erase(joining, images={"a.jpg"})
    assert images(joining)["a"] == left
    joining.put(Said(5, orphans=["z.jpg"]), Said(6, {"b": []}))
    assert images(joining)["a"] == left


def test_a_deleted_record_takes_the_images_that_fitted(joining: Tables) -> None:
    joining.put(TABLE, LATE)
    assert erase(joining, records={"a"}).images == {"a.jpg", "a-2.jpg"}
    assert images(joining) == {"b": []}


def pairs(paths: list[str], records: dict[str, dict[str, str | None]]) -> set[tuple[str, str]]:
    """What fits."""
    attributes = pa.array([list(each.items()) for each in records.values()], pa.map_(pa.string(), pa.string()))
    batch = pa.RecordBatch.from_arrays([pa.array(records, pa.string()), attributes], ["record_id", "attributes"])
    return {(row["image_path"], row["record_id"]) for row in Fits(pa.array(paths, pa.string())).of(batch).to_pylist()}


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("INV-1.jpg", "INV-1"),
        ("INV-1-12.jpg", "INV-1"),
        ("rolls/INV-1/12.jpg", "INV-1"),
        ("INV-1/raw/12.jpg", "INV-1"),
        ("deep/Tür.jpg", "Tu\u0308r"),
        ("0042.jpg", "42"),
        ("42-3.jpg", "00042"),
        ("inv-1.JPG", "INV-1"),
    ],
)
def test_an_image_fits_the_record_that_its_path_names(path: str, record: str) -> None:
    assert pairs([path], {record: {"name": "x"}, "other": {}}) == {(path, record)}


@pytest.mark.parametrize(
    ("path", "record"),
    [("99/1.jpg", "1"), ("1/99.jpg", "1"), ("1/a.jpg", "1"), ("xINV-1.jpg", "INV-1"), ("-1.jpg", "")],
)
def test_an_image_of_a_numbered_folder_or_of_another_name_fits_no_record(path: str, record: str) -> None:
    assert pairs([path], {record: {}}) == set()


@pytest.mark.parametrize(
    "cell", ["a/b.jpg", r"C:\scans\a\b.JPG", "https://x.example/img/a/b.jpg?w=8", "z.jpg; a/b.jpg", '["a/b.jpg"]']
)
def test_an_image_fits_the_record_whose_row_names_its_whole_path(cell: str) -> None:
    assert pairs(["a/b.jpg", "b.jpg", "a/c.jpg"], {"r": {"photo": cell, "n": None}}) >= {("a/b.jpg", "r")}
    assert pairs(["c/a/b.jpg"], {"r": {"photo": cell}}) == set()


def test_a_record_whose_row_names_images_has_no_others_by_its_id() -> None:
    assert pairs(["r.jpg", "s.jpg"], {"r": {"photo": "q.jpg"}, "s": {"photo": None}}) == {("s.jpg", "s")}


def test_nothing_fits_nothing() -> None:
    assert pairs([], {"a": {}}) == pairs(["a.jpg"], {}) == set()
