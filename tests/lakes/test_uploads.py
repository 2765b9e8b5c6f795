"""Whatever is uploaded in whatever order, the tables end as a dictionary in memory ends, and agree with each other."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixlake.messages import Effect
from tests.builders.histories import Tables, uploads
from tests.builders.tables import Dictionary, Said, assert_agreement, tabulate
from tests.doubles.tables import MemoryCatalog


def expected(*some: Said) -> dict[str, dict[Any, Any]]:
    model = Dictionary()
    for said in some:
        model.add(said)
    return model.tables()


def put_two_at_once(catalog: MemoryCatalog, some: list[Said], turns: list[bool]) -> dict[str, list[dict[str, Any]]]:
    """The rows after the first two uploads, at once, on top of the others; the tables agree."""
    tables = Tables(catalog)
    tables.put(*some[2:])
    interleave(tables.steps(some[0]), tables.steps(some[1]), turns)
    rows = tables.rows()
    assert_agreement(rows)
    return rows


@settings(max_examples=14)
@given(uploads(complete=True))
def test_any_sequence_of_uploads_ends_as_a_dictionary_ends(catalog: MemoryCatalog, some: list[Said]) -> None:
    tables = Tables(catalog)
    tables.put(*some)
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows) == expected(*some)


@settings(max_examples=14)
@given(uploads(complete=True))
def test_counts_of_any_upload_are_those_of_a_dictionary(catalog: MemoryCatalog, some: list[Said]) -> None:
    tables, model = Tables(catalog), Dictionary()
    for number, said in enumerate(some):
        tables.execution = f"execution {number}"
        effects = tables.put(said)
        assert {name: effects[name] for name in ("records", "embeddings", "predictions")} == model.add(said)


@settings(max_examples=14)
@given(uploads(complete=False), st.lists(st.booleans(), min_size=8, max_size=8))
def test_two_uploads_at_once_end_as_one_after_the_other(
    catalog: MemoryCatalog, some: list[Said], turns: list[bool]
) -> None:
    rows = put_two_at_once(catalog, some, turns)
    assert tabulate(rows) == expected(*some) == expected(*reversed(some))


@settings(max_examples=8)
@given(uploads(complete=True), st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_complete_upload_and_others_at_once_agree(
    catalog: MemoryCatalog, some: list[Said], turns: list[bool]
) -> None:
    rows = put_two_at_once(catalog, some, turns)
    found, must = tabulate(rows), expected(*some[2:], *some[:2])
    assert (found["records"], found["embeddings"]) == (must["records"], must["embeddings"])


def interleave(first: Iterator[object], second: Iterator[object], turns: Sequence[bool]) -> None:
    for turn in turns:
        next(first if turn else second, None)
    for rest in (first, second):
        list(rest)


FIRST = Said(1, {"a": ["p"], "b": ["q"]}, ["r"])


def test_a_corrected_table_without_images_keeps_each_records_images(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(2, {"a": [], "b": []}, content="y"))
    rows = tables.rows()
    assert_agreement(rows)
    assert {row["record_id"]: row["image_paths"] for row in rows["records"]} == {"a": ["p"], "b": ["q"]}
    assert {row["modality"] for row in rows["predictions"] if row["record_id"]} == {"image+tabular"}
    assert (effects["records"], effects["predictions"]) == (Effect(replaced=2), Effect(older=2))


def test_an_image_uploaded_alone_keeps_its_record(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(2, orphans=["p"], content="y"))
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows) == expected(FIRST, Said(2, orphans=["p"], content="y"))
    assert {row["image_path"]: row["record_id"] for row in rows["embeddings"]} == {"p": "a", "q": "b", "r": None}
    assert effects["embeddings"] == Effect(replaced=1)


def test_a_row_with_other_images_lets_go_of_those_it_had(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(2, {"a": ["s"]}))
    assert_agreement(tables.rows())
    owners = {row["image_path"]: row["record_id"] for row in tables.rows()["embeddings"]}
    assert owners == {"p": None, "q": "b", "r": None, "s": "a"}
    assert effects["embeddings"] == Effect(new=1, changed=1)


def test_an_image_that_a_newer_row_names_leaves_its_record(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(2, {"b": ["p"]}))
    rows = tables.rows()
    assert_agreement(rows)
    assert {row["record_id"]: row["has_image"] for row in rows["records"]} == {"a": False, "b": True}
    assert effects["records"] == Effect(replaced=1, changed=1)


def test_an_image_without_a_record_loses_its_own_prediction_with_one(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(2, {"c": ["r"]}))
    assert_agreement(tables.rows())
    assert effects["predictions"] == Effect(new=1, removed=1)


def test_an_older_upload_changes_nothing(tables: Tables) -> None:
    effects = tables.put(FIRST, Said(0, {"a": ["q"]}))
    assert tabulate(tables.rows()) == expected(FIRST)
    assert effects["records"] == effects["predictions"] == Effect(older=1)
    assert effects["embeddings"] == Effect(older=1)


def test_a_complete_upload_takes_away_what_is_older_and_not_in_it(tables: Tables) -> None:
    effects = tables.put(Said(9, {"z": ["z"]}), FIRST, Said(5, {"a": ["p"]}, complete=True, content="y"))
    rows = tables.rows()
    assert_agreement(rows)
    assert {row["record_id"] for row in rows["records"]} == {"a", "z"}
    assert {row["image_path"] for row in rows["embeddings"]} == {"p", "z"}
    assert effects["records"] == Effect(replaced=1, removed=1)
    assert effects["embeddings"] == Effect(replaced=1, removed=2)
    assert effects["predictions"] == Effect(replaced=1, removed=2)
    late = tables.put(Said(4, {"b": ["q"]}, ["r"]))
    assert set(late.values()) == {Effect(older=1), Effect(older=2)}
    assert tables.rows() == rows


@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_upload_that_is_cut_short_between_two_tables_ends_right_when_run_again(tables: Tables, done: int) -> None:
    cut = Said(2, {"a": ["q"], "c": ["r"]}, complete=True)
    tables.put(FIRST)
    steps = tables.steps(cut)
    before = dict(itertools.islice(steps, done))
    tables.put(Said(3, {"b": ["s"]}))
    effects = tables.put(cut)
    assert_agreement(tables.rows())
    assert tabulate(tables.rows()) == expected(FIRST, cut, Said(3, {"b": ["s"]}))
    assert before.items() <= effects.items()


def test_the_same_upload_of_another_execution_is_counted_as_unchanged(tables: Tables) -> None:
    tables.put(FIRST)
    tables.execution = "other"
    effects = tables.put(FIRST)
    assert effects["records"] == effects["links"] == Effect(unchanged=2)
    assert effects["embeddings"] == Effect(unchanged=3)


def test_rows_that_say_what_the_lake_says_are_counted_as_unchanged(tables: Tables) -> None:
    effects = tables.put(FIRST, replace(FIRST, day=2))
    assert effects["records"] == Effect(unchanged=2)
    assert effects["embeddings"] == effects["predictions"] == Effect(unchanged=3)
    assert tabulate(tables.rows()) == expected(replace(FIRST, day=2))


def test_the_same_upload_after_a_newer_one_is_counted_as_older(tables: Tables) -> None:
    tables.put(FIRST, Said(2, {"a": []}, content="y"))
    tables.execution = "other"
    assert tables.put(FIRST)["records"] == Effect(unchanged=1, older=1)


def test_the_same_upload_is_counted_as_older_when_a_complete_one_has_removed_its_rows(tables: Tables) -> None:
    tables.put(FIRST, Said(2, {"c": []}, complete=True))
    tables.execution = "other"
    assert tables.put(FIRST)["records"] == Effect(older=2)


def test_a_lake_from_before_links_agrees_from_the_next_upload_on(tables: Tables) -> None:
    tables.put(FIRST)
    links = tables.catalog.load_table((tables.catalog.name, "links"))
    links.files = [file for file in links.files if file.partition[0] != tables.experiment]
    tables.put(Said(2, orphans=["p"]), Said(3, {"b": []}))
    assert_agreement(tables.rows())
    assert tabulate(tables.rows()) == expected(FIRST, Said(2, orphans=["p"]), Said(3, {"b": []}))


def test_a_commit_on_top_of_a_complete_one_that_only_took_rows_out_is_settled(tables: Tables) -> None:
    tables.put(FIRST)
    late, complete = Said(2, {"a": ["p"], "c": ["t"]}), Said(3, {"d": []}, classified=False, complete=True)
    steps = tables.steps(late)
    list(itertools.islice(steps, 2))
    table = tables.catalog.load_table((tables.catalog.name, "embeddings"))
    # as pyiceberg does, whose retry sees no data file added meanwhile
    table.meanwhile = lambda: tables.put(complete)
    list(steps)
    assert_agreement(tables.rows())
    assert tabulate(tables.rows()) == expected(FIRST, late, complete)
