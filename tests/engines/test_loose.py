"""Loose images from their events to rows, by a bucket, rules, a queue and a mapping that are not ours."""

import random
from collections.abc import Iterator

import pytest

from tests.builders.model_lakes import image, rows
from tests.engines.collecting import Collecting, open_collecting
from tests.engines.stacks import UPLOADS, Stack, open_stack
from tests.project import ROOT

IMAGES = 100


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with open_stack(
        tmp_path_factory.mktemp("loose"), {"Embedder": "emoji-clip", "ClassifierOrphan": ""}, ROOT / "bundles"
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def collecting(stack: Stack) -> Iterator[Collecting]:
    with open_collecting(stack) as opened:
        yield opened


def paths(stack: Stack, experiment: str) -> list[str]:
    return [row["image_path"] for row in rows(stack.lake, "embeddings", experiment)]


def test_many_events_in_any_order_with_duplicates_are_one_row_an_image(stack: Stack, collecting: Collecting) -> None:
    chance = random.Random(0)
    wanted = [f"camera {number % 7}/{number}.png" for number in range(IMAGES)]
    with collecting.held():
        for number, path in enumerate(wanted):
            stack.s3.put_object(Bucket=UPLOADS, Key=f"images/many/{path}", Body=image((number % 250, 0, 0)))
        collecting.shuffle(chance, again=IMAGES // 5)
    ended = collecting.drained()
    assert [it["status"] for it in ended] == ["SUCCEEDED"] * len(ended), [it.get("cause") for it in ended]
    assert len(ended) <= 20
    assert paths(stack, "many") == sorted(wanted)


def test_an_image_overwritten_and_one_deleted_before_they_are_gathered(stack: Stack, collecting: Collecting) -> None:
    with collecting.held():
        for body in (image((1, 0, 0)), image((2, 0, 0))):
            stack.s3.put_object(Bucket=UPLOADS, Key="images/twice/a.png", Body=body)
        for name in ("b.png", "c.png"):
            stack.s3.put_object(Bucket=UPLOADS, Key=f"images/twice/{name}", Body=image((3, 0, 0)))
        stack.s3.delete_object(Bucket=UPLOADS, Key="images/twice/b.png")
        collecting.shuffle(random.Random(1), again=3)
    assert {it["status"] for it in collecting.drained()} == {"SUCCEEDED"}
    found = {row["image_path"]: row for row in rows(stack.lake, "embeddings", "twice")}
    assert sorted(found) == ["a.png", "c.png"]
    assert stack.read(found["a.png"]["image_uri"]) == image((2, 0, 0))


def test_an_older_event_that_comes_late_and_a_deleted_image_bring_nothing_back(
    stack: Stack, collecting: Collecting
) -> None:
    with collecting.held():
        stack.s3.put_object(Bucket=UPLOADS, Key="images/late/a.png", Body=image((1, 0, 0)))
        stack.s3.put_object(Bucket=UPLOADS, Key="images/late/b.png", Body=image((1, 0, 0)))
        old = collecting.taken()
        stack.s3.put_object(Bucket=UPLOADS, Key="images/late/a.png", Body=image((2, 0, 0)))
    assert {it["status"] for it in collecting.drained()} == {"SUCCEEDED"}
    stack.s3.delete_object(Bucket=UPLOADS, Key="images/late/b.png")
    collecting.send(old)
    assert {it["status"] for it in collecting.drained()} <= {"SUCCEEDED"}
    (row,) = rows(stack.lake, "embeddings", "late")
    assert (row["image_path"], stack.read(row["image_uri"])) == ("a.png", image((2, 0, 0)))


@pytest.mark.parametrize("name", ['1+1 "cheese" a%20b.png', "Ünï 日本 🐈.png", "it's.png"])
def test_any_name_of_an_image_is_read(stack: Stack, collecting: Collecting, name: str) -> None:
    stack.s3.put_object(Bucket=UPLOADS, Key=f"images/named/{name}", Body=image((4, 0, 0)))
    assert {it["status"] for it in collecting.drained()} == {"SUCCEEDED"}
    assert name in paths(stack, "named")


def test_a_message_that_is_never_gathered_ends_in_the_dead_letters_and_holds_up_nothing(
    stack: Stack, collecting: Collecting
) -> None:
    stack.s3.put_object(Bucket=UPLOADS, Key="images/my pets/a.png", Body=image((5, 0, 0)))
    stack.s3.put_object(Bucket=UPLOADS, Key="images/others/a.png", Body=image((5, 0, 0)))
    (ended,) = collecting.drained()
    assert (ended["status"], paths(stack, "others")) == ("SUCCEEDED", ["a.png"])
    (dead,) = collecting.dead()
    assert dead["detail"]["object"]["key"] == "images/my pets/a.png"
