"""The id column is found by what its values say, and the reason is told."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from pixlake.errors import BadTable
from pixlake.matching.columns import check_column, choose_id, choose_images
from pixlake.matching.loosely import parse_paths
from pixlake.matching.profiles import Profile


def find_id(
    columns: Mapping[str, Sequence[str | None]], paths: list[str], told: str | None = None, image: str | None = None
) -> tuple[str, str]:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    profiles = [Profile(name, table[name], table.num_rows) for name in table.column_names]
    choice = choose_id(profiles, parse_paths(pa.array(sorted(paths), pa.string())), told, image)
    return choice.column, choice.why


MANY = [f"{n:04}" for n in range(1_500)]


def test_the_configured_id_column_is_used() -> None:
    assert find_id({"a": ["1"], "b": ["2"]}, ["1.jpg"], told="b") == ("b", "b: set by id_column")


def test_the_column_that_names_most_images_is_the_id() -> None:
    columns = {"id": [f"x{n}" for n in MANY], "code": MANY}
    assert find_id(columns, [f"p/{n}-1.jpg" for n in MANY[:1_200]]) == (
        "code",
        "code: 1,200 of 1,500 values are image names",
    )


def test_numbers_that_name_images_by_chance_are_not_the_id() -> None:
    """Every age is an image's name too, and many more of them than of the ids; but ages do not tell rows apart."""
    columns = {"age": [str(n % 100) for n in range(1_500)], "id": [str(n + 90) for n in range(1_500)]}
    assert find_id(columns, [f"{n}.jpg" for n in range(100)])[0] == "id"


def test_the_column_with_more_images_wins() -> None:
    columns = {"few": [str(n) for n in range(100)], "more": [str(n + 50) for n in range(100)]}
    assert find_id(columns, [f"{n}.jpg" for n in range(60, 200)])[0] == "more"


def test_a_column_that_names_few_images_of_many_rows_is_the_id() -> None:
    """A sample of the rows may well miss them."""
    rows = [f"{n:06}" for n in range(60_000)]
    columns = {"id": [f"x{n}" for n in rows], "code": rows}
    assert find_id(columns, ["000123.jpg"]) == ("code", "code: 1 of 60,000 values are image names")


def test_some_empty_and_repeated_ids_do_not_matter() -> None:
    values = [*MANY[:95], MANY[0], MANY[1], None, "", " "]
    assert find_id({"n": [str(n) for n in range(100)], "code": values}, ["0007.jpg"])[0] == "code"


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["name", "id"], "id"),
        (["pet_id", "ID"], "ID"),
        (["x", "PetID"], "PetID"),
        (["x", "pet id"], "pet id"),
        (["valid", "petId"], "petId"),
        (["x", "record_id", "pet_id"], "record_id"),
        (["x", "filename"], "x"),
        (["name", "image_path"], "name"),
        (["code", "name"], "code"),
        (["answer_yes", "answer_no", "place"], "answer_yes"),
        (["x", "Artikelnummer"], "Artikelnummer"),
    ],
)
def test_without_images_a_column_named_like_an_id_is_the_id(names: list[str], column: str) -> None:
    values = [f"v{n}" for n in range(10)]
    found, why = find_id(dict.fromkeys(names, values), ["other.jpg"])
    assert found == column
    assert "10" in why


def test_a_column_named_like_an_id_with_repeated_values_is_not_the_id() -> None:
    columns: dict[str, list[str | None]] = {
        "owner_id": ["a", "a", "b"],
        "id": ["a", None, None],
        "code": ["1", "2", "3"],
    }
    assert find_id(columns, []) == (
        "code",
        "code: called like an id, with 3 different values in 3 rows; only a row number",
    )


def test_with_an_image_column_the_name_comes_first() -> None:
    columns = {"count": ["1", "2", "3"], "id": ["a", "b", "c"]}
    assert find_id(columns, ["1.jpg", "2.jpg"], image="photo")[0] == "id"
    assert find_id(columns, ["1.jpg", "2.jpg"])[0] == "count"


def test_without_a_column_of_unique_values_the_table_is_refused() -> None:
    with pytest.raises(BadTable, match=r"set id_column in pixlake.json to one of 'a', 'b'"):
        find_id({"a": ["1", "1"], "b": ["2", None]}, [])


def find_doubtful(columns: Mapping[str, Sequence[str]]) -> tuple[str, bool]:
    profiles = [Profile(name, pa.chunked_array([values], pa.string()), 10) for name, values in columns.items()]
    choice = choose_id(profiles, parse_paths(pa.array([], pa.string())), None, None)
    return choice.column, choice.doubtful


AMOUNTS = [str(n * 7919 % 10_007) for n in range(1, 11)]


@pytest.mark.parametrize(
    ("columns", "column", "doubtful"),
    [
        ({"country": ["a", "b"] * 5, "population": AMOUNTS}, "population", True),
        ({"population": AMOUNTS, "country": ["a", "b"] * 5}, "population", True),
        ({"country": ["a", "b"] * 5, "docno": AMOUNTS}, "docno", False),
        ({"case": [str(n * 3) for n in range(10)], "country": ["a", "b"] * 5}, "case", False),
        ({"name": [f"van {n}" for n in range(10)], "city": [f"c{n}" for n in range(10)]}, "name", False),
        ({"country": ["a", "b"] * 5, "first_name": [f"n{n}" for n in range(10)]}, "first_name", True),
    ],
)
def test_amounts_and_half_names_that_differ_by_chance_are_doubtful(
    columns: Mapping[str, Sequence[str]], column: str, doubtful: bool
) -> None:
    assert find_doubtful(columns) == (column, doubtful)


def test_columns_that_tell_the_rows_apart_only_together_are_named() -> None:
    columns = {"amount": ["1.5"] * 6, "firm": ["a", "a", "a", "b", "b", "b"], "year": ["1", "2", "3"] * 2}
    with pytest.raises(BadTable, match=r"only 'firm' and 'year' together do: join them into one column, and name it"):
        find_id(columns, [])


def test_a_configured_column_that_is_missing_is_refused() -> None:
    check_column(["id"], "label_column", None)
    check_column(["id"], "label_column", "id")
    with pytest.raises(BadTable, match=r"label_column: there is no column 'x'; the columns are 'id', 'name'"):
        check_column(["id", "name"], "label_column", "x")


@pytest.mark.parametrize(
    ("told", "meant"), [("Title", "title"), ("titel", "title"), ("inv no", "Inv_No"), ("INV-NO", "Inv_No"), ("q", None)]
)
def test_a_configured_column_that_is_nearly_one_is_answered_by_that(told: str, meant: str | None) -> None:
    with pytest.raises(BadTable) as refused:
        check_column(["id", "title", "Inv_No"], "id_column", told)
    assert (f"; is {meant!r} meant?" in str(refused.value)) == (meant is not None)
    assert (" meant?" in str(refused.value)) == (meant is not None)


PATHS = pa.array(["p/a.jpg", "p/b.jpg", "p/c.jpg"])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a.jpg", "b.jpg", "z.jpg"], True),
        (["/x/a.JPG", None, None], True),
        (["a.jpg;b.jpg", '["c.jpg"]', ""], True),
        (["a", "b", "c"], True),
        (["y.jpg", "z.jpg", None], False),
        (["see a.jpg for details", "no", "none"], False),
        ([None, None, None], False),
    ],
)
def test_the_column_of_image_names_is_found(values: list[str | None], found: bool) -> None:
    table = pa.table({"id": ["1", "2", "3"], "photo": pa.array(values, pa.string())})
    choice = choose_images(table, PATHS, None)
    assert (choice is not None and choice[0] == "photo") == found


def test_the_image_column_is_the_one_that_names_most_images() -> None:
    table = pa.table({"front": ["a.jpg", "a.jpg", "a.jpg"], "all": ["a.jpg", "b.jpg", "c.jpg"]})
    choice = choose_images(table, PATHS, None)
    assert choice is not None
    assert choice[0] == "all"


def test_the_configured_image_column_is_used() -> None:
    table = pa.table({"photo": ["a", "b", "c"]})
    choice = choose_images(table, PATHS, "photo")
    assert choice is not None
    assert choice[1].images.tolist() == [0, 1, 2]
