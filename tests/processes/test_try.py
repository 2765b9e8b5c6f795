"""`pixlake models try`: figures that numpy can compute, and a page that needs nothing beside it."""

import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixlake_models.trying.neighbours import agree, rank_others
from pixlake_models.trying.prices import million_images
from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.model_lakes import image
from tests.builders.tiny import BundleLake

COLORS = {
    "r1": (250, 10, 10),
    "r2": (240, 20, 15),
    "g1": (10, 250, 10),
    "g2": (20, 240, 15),
    "b1": (10, 10, 250),
    "b2": (15, 20, 240),
}
KINDS = {"r": "red", "g": "green", "b": "<b>blue</b>"}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """With an embedder by the mean colour, and one by what is no colour: its vectors are all alike."""
    models = BundleLake(tmp_path / "lake")
    files = {"image.onnx": tiny.image_graph(np.eye(3, dtype=np.float32))}
    models.embedder("colors", files=files, dimensions=3, text=None)
    files = {"image.onnx": tiny.image_graph(np.zeros((3, 3), dtype=np.float32) + 1)}
    models.embedder("blind", files=files, dimensions=3, text=None)
    models.classifier("classes", tiny.image_graph(np.eye(3, dtype=np.float32)), [tiny.image_input()])
    return tmp_path / "lake"


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """Two images of each of three kinds, in a table with their kind."""
    path = tmp_path / "<kinds>.zip"
    with zipfile.ZipFile(path, "w") as file:
        rows = [f"{name},{KINDS[name[0]]}" for name in COLORS]
        file.writestr("kinds.csv", "\n".join(["id,kind", *rows]))
        for name, color in COLORS.items():
            file.writestr(f"{name}.png", image(color))
    return path


def tried(*arguments: object) -> dict[str, Any]:
    done = run("models", "try", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_models_are_compared_by_the_labels_of_neighbours(lake: Path, upload: Path) -> None:
    found = tried("colors", "blind", "--on", upload, "--label", "kind", "--lake", lake)
    colors, blind = found["models"]
    assert (found["images"], found["labelled"], found["most_frequent_label"]) == (6, 6, 0.3333)
    assert colors["model"].startswith("colors@")
    assert (colors["recall_1"], colors["recall_5"]) == (1, 1)
    assert blind["recall_1"] < 1
    for each in (colors, blind):
        assert each["dimensions"] == 3
        assert each["images_per_second"] > 0
        assert each["peak_memory_mb"] > 10
        assert each["dollars_per_million_images"] == pytest.approx(
            million_images(each["images_per_core_second"]), rel=0.05, abs=0.01
        )


def test_the_table_has_a_row_for_each_and_says_what_it_is_of(lake: Path, upload: Path) -> None:
    done = run("models", "try", "colors", "blind", "--on", upload, "--lake", lake, "--most", 4)
    assert done.exit_code == 0, done.stderr
    head, first, second, remark = done.stdout.splitlines()
    assert head.split()[:2] == ["model", "dimensions"]
    assert (first.split("@")[0], second.split("@")[0]) == ("colors", "blind")
    assert first.split()[-3:] == ["-", "-", "-"]
    assert remark == "4 of 6 images, evenly spread; no labels, so no recall: --label names a column"


class Page(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_shows_the_same_queries_through_each_and_runs_no_script(
    lake: Path, upload: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.html"
    options = ("--on", upload, "--label", "kind", "--lake", lake, "--page", target)
    assert run("models", "try", "colors", "blind", *options).exit_code == 0
    text = target.read_text()
    page = Page(text)
    pictures = [attributes["src"] or "" for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == 6 * (1 + 2 * 5)
    assert all(each.startswith("data:image/jpeg;base64,") for each in pictures)
    assert len(set(pictures)) == 6
    assert not {"script", "link", "b"} & {tag for tag, _ in page.elements}
    assert "&lt;b&gt;blue&lt;/b&gt;" in text
    assert "default-src 'none'" in text
    first, *_ = re.findall(r'<section class="query">(.+?)</section>', text, re.DOTALL)
    assert first.split("<h3>")[2].count('class="right"') == 1


def test_an_image_that_is_broken_is_left_out_and_said(lake: Path, upload: Path) -> None:
    with zipfile.ZipFile(upload, "a") as file:
        file.writestr("r3.png", b"\x89PNG\r\n\x1a\nno image")
    found = tried("colors", "--on", upload, "--lake", lake)
    assert (found["images"], found["broken"]) == (6, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("classes",), "only embedders are compared"),
        (("colors", "--label", "breed"), "there is no column 'breed'; the columns are 'id', 'kind'"),
        (("none",), "there is no bundle here"),
    ],
)
def test_what_cannot_be_compared_is_refused(lake: Path, upload: Path, arguments: tuple[str, ...], reason: str) -> None:
    done = run("models", "try", *arguments, "--on", upload, "--lake", lake)
    assert done.exit_code in (1, 2)
    assert reason in done.stderr
    assert done.stdout == ""


def test_two_images_are_too_few(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        (tmp_path / "two" / f"{name}.png").write_bytes(image((1, 2, 3)))
    done = run("models", "try", "colors", "--on", tmp_path / "two", "--lake", lake)
    assert done.exit_code == 2
    assert "2 images are too few" in done.stderr


def test_agreement_is_that_of_images_whose_label_another_has() -> None:
    angles = np.array([0.0, 0.1, 1.0, 1.1, 2.0, 1.2])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert rank_others(vectors)[0].tolist() == [1, 2, 3, 5, 4]
    found = agree(vectors, ["a", "a", "b", "b", "alone", None])
    assert found
    assert (found.images, found.recall_1, found.recall_5, found.frequent) == (4, 1, 1, 0.5)
    assert agree(vectors, [None] * 6) is None


def test_a_million_images_cost_their_core_seconds() -> None:
    # 7.25 images a second: 137,931 core-seconds of 1,769 MB
    assert million_images(7.25) == pytest.approx(3.97, abs=0.01)
