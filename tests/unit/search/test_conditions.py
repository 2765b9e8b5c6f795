import pyarrow as pa
import pytest

from pixlake.errors import BadRequest
from pixlake.search.chosen import Chosen
from pixlake.search.conditions import Conditions, tables_of


class Evaluated:
    """An evaluation that counts how often it was asked; its answer has `count` paths."""

    def __init__(self, count: int = 1) -> None:
        self.times, self._count = 0, count

    def __call__(self) -> Chosen:
        self.times += 1
        return Chosen({"e": pa.chunked_array([[f"{row:06d}" for row in range(self._count)]])})


def test_a_condition_is_evaluated_once_while_the_tables_are_the_same() -> None:
    conditions, evaluated = Conditions(), Evaluated()
    first = conditions.choose("a = 1", ("m", None, (1, 2)), evaluated)
    assert conditions.choose("a = 1", ("m", None, (1, 2)), evaluated) is first
    assert evaluated.times == 1


@pytest.mark.parametrize(
    "other", [("a = 2", ("m", None, (1,))), ("a = 1", ("m", "e", (1,))), ("a = 1", ("m", None, (2,)))]
)
def test_another_condition_experiment_or_snapshot_is_evaluated(other: tuple[str, object]) -> None:
    conditions, evaluated = Conditions(), Evaluated()
    conditions.choose("a = 1", ("m", None, (1,)), evaluated)
    conditions.choose(other[0], other[1], evaluated)
    assert evaluated.times == 2


@pytest.mark.parametrize(
    "where",
    [
        "uploaded_at > now() - INTERVAL '1' DAY",
        "Rand() < 0.5",
        "x = CURRENT_DATE",
        "x IN (SELECT uuid())",
        "localtime = x",
    ],
)
def test_a_condition_whose_answer_changes_by_itself_is_evaluated_each_time(where: str) -> None:
    conditions, evaluated = Conditions(), Evaluated()
    for _ in range(2):
        conditions.choose(where, None, evaluated)
    assert evaluated.times == 2


def test_what_was_asked_longest_ago_is_dropped_beyond_the_bytes() -> None:
    size = Evaluated(100)().nbytes
    conditions, evaluated = Conditions(capacity=2 * size), Evaluated(100)
    for where in ("a", "b", "a", "c"):
        conditions.choose(where, None, evaluated)
    assert evaluated.times == 3
    conditions.choose("a", None, evaluated)
    assert evaluated.times == 3, "asked after b"
    conditions.choose("b", None, evaluated)
    assert evaluated.times == 4


def test_an_answer_larger_than_all_bytes_is_given_and_not_kept() -> None:
    conditions, evaluated = Conditions(capacity=100), Evaluated(1_000)
    assert len(conditions.choose("a", None, evaluated).paths["e"]) == 1_000
    conditions.choose("a", None, evaluated)
    assert evaluated.times == 2


def test_an_evaluation_that_fails_is_tried_again() -> None:
    def fail() -> Chosen:
        raise BadRequest("no column a")

    conditions, evaluated = Conditions(), Evaluated()
    with pytest.raises(BadRequest, match="no column a"):
        conditions.choose("a", None, fail)
    assert conditions.choose("a", None, evaluated).paths


def test_the_tables_of_a_condition_are_those_of_images_and_those_it_names() -> None:
    assert tables_of("label = 'cat'") == ["embeddings", "predictions", "records"]
    assert tables_of('image_path IN (SELECT source FROM "Rejects")') == [
        "embeddings", "predictions", "records", "rejects",
    ]  # fmt: skip
