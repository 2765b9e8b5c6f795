"""A bundle that would fill the memory is refused before anything of it is there. Sparse files take no disk."""

from typing import Any

import pytest

from tests.unit.attacks.victims import Victim


@pytest.mark.parametrize(
    ("name", "size"), [("image.onnx", (2 << 30) + 1), ("text.onnx", 1 << 40), ("tokenizer.json", (64 << 20) + 1)]
)
def test_a_file_above_the_limit_of_its_kind_is_refused(victim: Victim, name: str, size: int) -> None:
    with (victim.folder / name).open("ab") as file:
        file.truncate(size)
    assert f"{name}: it has {size:,} bytes, more than" in victim.refuses()


def test_files_above_the_memory_limit_together_are_refused(victim: Victim) -> None:
    victim.replace("image.onnx.data", b"")
    with (victim.folder / "image.onnx.data").open("ab") as file:
        file.truncate(10 << 30)
    assert "models/tiny: its files have" in victim.refuses()


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("preprocessing", {"width": 8_193}, "width"),
        ("preprocessing", {"width": 0}, "width"),
        ("preprocessing", {"height": -1}, "height"),
        ("preprocessing", {"height": 2**40}, "height"),
        ("preprocessing", {"width": 8_192, "height": 8_192}, "take 768 MiB of memory, more than 64"),
        ("input", {"max_images": 65_536}, "exactly one input"),
        ("input", {"max_images": 2**31}, "max_images"),
        ("text", {"length": 2**31}, "length"),
        ("document", {"dimensions": 2**31}, "dimensions"),
    ],
)
def test_an_input_size_out_of_range_is_refused(victim: Victim, part: str, change: dict[str, Any], message: str) -> None:
    def enlarge(document: dict[str, Any]) -> None:
        (image,) = document["inputs"]
        parts = {"document": document, "input": image, "preprocessing": image["preprocessing"]}
        {**parts, "text": document["text"]["input"]}[part].update(change)

    victim.rewrite(enlarge)
    assert message in victim.refuses()


def test_more_images_of_a_record_than_memory_takes_are_refused(victim: Victim) -> None:
    def enlarge(document: dict[str, Any]) -> None:
        for field in ("dimensions", "text"):
            del document[field]
        document["inputs"][0]["max_images"] = 65_536
        document["inputs"][0]["preprocessing"]["height"] = 16
        document.update(kind="record_classifier", problem="multiclass", labels=["a", "b"])

    victim.rewrite(enlarge)
    assert "one example's images take 96 MiB of memory" in victim.refuses()
