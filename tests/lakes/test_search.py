import json
import re
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image

from pixlake.errors import MissingObject
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.inference.loaded import load_embedder
from pixlake.schemas import EMBEDDINGS
from pixlake.search import NEARLY_SAME, resident
from pixlake.search.chosen import Chosen
from pixlake.search.resident import Resident
from pixlake.search.stored import choose_model, count_models
from pixlake_cli.main import cli
from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.deletes import delete_positions
from tests.builders.zoo import folder_of, put_rows

pytestmark = pytest.mark.usefixtures("in_this_process")
COLORS = {"red": (250, 10, 10), "dark": (120, 0, 0), "green": (10, 250, 10), "blue": (10, 10, 250)}


@pytest.fixture
def gallery(own_zoo_lake: Lake) -> Lake:
    """A lake whose embeddings are those of one-colored images by a tiny model."""
    models = tiny.BundleLake(folder_of(own_zoo_lake))
    model = models.embedder("tiny")
    rows = []
    embedder = load_embedder(own_zoo_lake.uri, model)
    for name, color in COLORS.items():
        image = Image.new("RGB", (30, 20), color)
        (folder_of(own_zoo_lake) / "images").mkdir(exist_ok=True)
        image.save(folder_of(own_zoo_lake) / "images" / f"{name}.png")
        vector = embedder.embed_images([image])[0].tolist()
        rows.append({"image_path": f"{name}.png", "record_id": name, "embedding": vector, "model": model})
    put_rows(own_zoo_lake, "embeddings", rows, "gallery", "colors")
    return own_zoo_lake


def search(lake: Lake, *arguments: object) -> Any:
    result = run("search", *arguments, "--lake", lake.folder, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_an_image_finds_itself_first(gallery: Lake) -> None:
    hits = search(gallery, folder_of(gallery) / "images" / "red.png", "--model", "tiny")
    assert [hit["image_path"] for hit in hits][:2] == ["red.png", "dark.png"]
    assert hits[0]["score"] == pytest.approx(1.0)
    assert hits[0] | {"score": 1} == {
        "image_path": "red.png",
        "score": 1,
        "record_id": "red",
        "experiment_id": "colors",
        "image_uri": f"{gallery.uri}/images/red.png",
    }
    assert sorted((hit["score"] for hit in hits), reverse=True) == [hit["score"] for hit in hits]


def test_a_text_is_embedded_by_the_text_tower(gallery: Lake) -> None:
    tokens = [tiny.WORDS.index("red"), tiny.WORDS.index("square"), 0, 0]
    vector = tiny.TOKEN_VECTORS[tokens].mean(axis=0)
    vector /= np.linalg.norm(vector)
    hits = search(gallery, "red square", "--model", "tiny", "-n", "1")
    assert len(hits) == 1
    images = load_embedder(gallery.uri, "tiny").embed_images([Image.new("RGB", (30, 20), c) for c in COLORS.values()])
    assert hits[0]["score"] == pytest.approx(float((images @ vector).max()), abs=1e-5)


def test_the_model_with_most_vectors_is_searched_and_named(gallery: Lake) -> None:
    result = run("search", folder_of(gallery) / "images" / "red.png", "--lake", gallery.folder)
    assert result.exit_code == 0
    assert result.stderr.startswith("the vectors are those of tiny@")
    assert "emoji-clip@0123456789ab" in result.stderr
    assert "red.png" in result.stdout


def test_one_experiment_only(gallery: Lake) -> None:
    hits = search(gallery, folder_of(gallery) / "images" / "red.png", "--experiment", "colors", "-n", "99")
    assert len(hits) == len(COLORS)
    assert {hit["experiment_id"] for hit in hits} == {"colors"}


def test_a_condition_chooses_among_all_columns(gallery: Lake) -> None:
    records = [
        {"record_id": name, "image_paths": [f"{name}.png"], "attributes": [("price", str(price))]}
        for price, name in enumerate(COLORS)
    ]
    put_rows(gallery, "records", records, "prices", "colors")
    query = folder_of(gallery) / "images" / "red.png"
    for where, found in (
        ("CAST(element_at(attributes, 'price') AS integer) >= 2", ["green.png", "blue.png"]),
        ("record_id LIKE '%r%' AND experiment_id = 'colors' -- and a comment", ["red.png", "dark.png", "green.png"]),
        ("label = 'none'", []),
    ):
        hits = search(gallery, query, "--model", "tiny", "--where", where)
        assert sorted(hit["image_path"] for hit in hits) == sorted(found)
    wrong = run("search", query, "--model", "tiny", "--lake", gallery.folder, "--where", "nothing = 1")
    assert (wrong.exit_code, "nothing" in wrong.stderr) == (2, True)


def test_distinct_leaves_out_what_is_nearly_a_better_hit(gallery: Lake) -> None:
    embedder = load_embedder(gallery.uri, "tiny")
    copy = embedder.embed_images([Image.new("RGB", (30, 20), (249, 11, 10))])[0].tolist()
    put_rows(
        gallery, "embeddings", [{"image_path": "copy.png", "embedding": copy, "model": embedder.model}], "c", "colors"
    )
    query = (folder_of(gallery) / "images" / "red.png", "--model", "tiny", "--experiment", "colors")
    everything = search(gallery, *query)
    assert [hit["image_path"] for hit in everything[:3]] == ["red.png", "copy.png", "dark.png"]
    assert everything[1]["score"] > NEARLY_SAME > everything[2]["score"]
    assert search(gallery, *query, "--distinct") == [everything[0], *everything[2:]]
    assert search(gallery, *query, "--distinct", "-n", 2) == [everything[0], everything[2]]


def test_an_image_comes_from_a_file_a_uri_the_lake_or_standard_input(gallery: Lake) -> None:
    place = folder_of(gallery) / "images" / "red.png"
    expected = search(gallery, place, "--model", "tiny")
    assert search(gallery, f"file://{place}", "--model", "tiny") == expected
    assert search(gallery, "red.png", "--model", "tiny") == expected
    piped = CliRunner().invoke(
        cli, ["search", "-", "--model", "tiny", "--lake", str(gallery.folder), "--json"], place.read_bytes()
    )
    assert json.loads(piped.stdout) == expected
    again = {
        "image_path": "red.png",
        "embedding": [1.0, 0.0, 0.0, 0.0],
        "model": load_embedder(gallery.uri, "tiny").model,
    }
    put_rows(gallery, "embeddings", [again], "again", "others")
    both = run("search", "red.png", "--model", "tiny", "--lake", gallery.folder)
    assert (both.exit_code, "in the experiments colors, others: choose by --experiment" in both.stderr) == (2, True)


def test_the_sheet_shows_the_hits(gallery: Lake, tmp_path: Path) -> None:
    (folder_of(gallery) / "images" / "blue.png").unlink()
    sheet = tmp_path / "sheet.png"
    search(gallery, folder_of(gallery) / "images" / "red.png", "--model", "tiny", "--sheet", sheet)
    with Image.open(sheet) as picture:
        picture.load()
        colors = {color for _, color in picture.getcolors(1 << 20) or []}
    assert {COLORS["red"], COLORS["green"]} <= colors
    assert COLORS["blue"] not in colors


def test_the_page_shows_the_query_and_the_hits(gallery: Lake, tmp_path: Path) -> None:
    (folder_of(gallery) / "images" / "blue.png").unlink()
    page, query = tmp_path / "found.html", folder_of(gallery) / "images" / "red.png"
    search(gallery, query, "--model", "tiny", "--experiment", "colors", "--where", "1 < 2", "--html", page)
    html = page.read_text("utf-8")
    assert html.count('src="data:image/webp;base64,') == 1 + len(COLORS) - 1, "the query, and all that there are"
    assert html.count("not shown") == 1
    assert "<code>1 &lt; 2</code>" in html
    paths = re.findall(r'class="path">(.*?)<', html)
    assert (paths[0], sorted(paths)) == ("red.png", sorted(f"{name}.png" for name in COLORS))
    search(gallery, "a <red> square", "--model", "tiny", "-n", 1, "--html", page)
    html = page.read_text("utf-8")
    assert "<h1>a &lt;red&gt; square</h1>" in html
    assert "searched for" not in html


def test_what_was_written_is_opened(gallery: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def show(uri: str) -> bool:
        opened.append(uri)
        return len(opened) < 3

    monkeypatch.setattr(webbrowser, "open", show)
    monkeypatch.chdir(tmp_path)
    search(gallery, "red", "--model", "tiny", "--sheet", tmp_path / "a.png", "--open")
    search(gallery, "red", "--model", "tiny", "--sheet", tmp_path / "a.png", "--html", tmp_path / "a.html", "--open")
    result = run("search", "red", "--model", "tiny", "--lake", gallery.folder, "--open")
    assert opened == [(tmp_path / name).as_uri() for name in ("a.png", "a.html", "found.html")]
    assert (tmp_path / "found.html").exists()
    assert "there is no program to open found.html with" in result.stderr


def test_errors_say_what_to_do(gallery: Lake, zoo_lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    cases: list[tuple[Lake, list[object], int, str]] = [
        (gallery, [" "], 2, "not empty"),
        (gallery, ["no-such-file.jpg"], 2, "there is no image no-such-file.jpg"),
        (gallery, [tmp_path / "broken.png", "--model", "tiny"], 1, "not_an_image"),
        (gallery, ["x", "--model", "other"], 1, "there are embeddings by: emoji-clip@0123456789ab, tiny@"),
        (gallery, ["x", "--experiment", "none"], 1, "experiment 'none'"),
        (zoo_lake, ["x"], 1, "emoji-clip"),  # vectors without their model
    ]
    for where, arguments, code, message in cases:
        result = run("search", *arguments, "--lake", where.folder)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
        assert result.stderr.splitlines()[-1].startswith("pixlake: ")


def put_silent(lake: Lake, count: int) -> None:
    """Vectors of a model that reads no texts."""
    files = {"image.onnx": tiny.image_graph()}
    model = tiny.BundleLake(folder_of(lake)).embedder("silent", files=files, text=None)
    rows = [{"image_path": f"{n}.png", "embedding": [1.0, 0.0, 0.0, 0.0], "model": model} for n in range(count)]
    put_rows(lake, "embeddings", rows, "silent")


def test_a_model_that_reads_no_texts_says_so(own_zoo_lake: Lake) -> None:
    put_silent(own_zoo_lake, 5)
    result = run("search", "a cat", "--lake", own_zoo_lake.folder)
    assert result.exit_code == 1
    assert "no text tower: search by an image instead" in result.stderr
    assert "`pixlake models get clip-vit-b32 --lake LAKE`" in result.stderr, "the way to a model that reads them"


def test_a_text_asks_a_model_that_reads_texts_though_others_have_more_vectors(gallery: Lake) -> None:
    put_silent(gallery, 50)
    by_text = run("search", "a red square", "--lake", gallery.folder)
    assert (by_text.exit_code, "the vectors are those of tiny@" in by_text.stderr) == (0, True), by_text.stderr
    for image in (folder_of(gallery) / "images" / "red.png", "0.png"):
        assert "the vectors are those of silent@" in run("search", image, "--lake", gallery.folder).stderr


def batch(rows: list[tuple[str, list[float]]], model: str = "m@1") -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [
            {
                "model": model,
                "embedding": vector,
                "image_path": path,
                "record_id": None,
                "experiment_id": "e",
                "image_uri": f"file:///{path}",
            }
            for path, vector in rows
        ],
        schema=pa.schema(
            [
                ("model", pa.string()),
                ("embedding", pa.list_(pa.float32())),
                ("image_path", pa.string()),
                ("record_id", pa.string()),
                ("experiment_id", pa.string()),
                ("image_uri", pa.string()),
            ]
        ),
    )


def test_the_model_is_chosen_by_name_version_or_number_of_vectors() -> None:
    models = count_models(
        [batch([("a", [1.0])] * 3, "x@1"), batch([("a", [1.0])], "y@1"), batch([("a", [1.0])], "y@2")]
    )
    assert choose_model(models, None) == "x@1"
    assert choose_model(models, "y") == "y@2"
    assert choose_model(models, "y@1") == "y@1"
    with pytest.raises(MissingObject, match="there are embeddings by: x@1, y@1, y@2"):
        choose_model(models, "z")


def test_rows_that_athena_deleted_are_not_found(gallery: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    table = load_table(open_catalog(gallery.uri, gallery.catalog_uri), "embeddings")
    file, *others = list_existing(table, EMBEDDINGS, None)
    cut = delete_positions(file, table.io, [0])
    query = load_embedder(gallery.uri, "tiny").embed_images([Image.new("RGB", (30, 20), COLORS["red"])])[0]

    def paths(chosen: Chosen | None = None) -> list[str]:
        embeddings = Resident(gallery).read("colors")
        return [hit.image_path for hit in embeddings.find_nearest(embeddings.choose("tiny"), query, 9, chosen)]

    before = paths()
    every = Chosen({"colors": pa.chunked_array([before])})
    (gone,) = next(file.rows.batches(["image_path"]))["image_path"][:1].to_pylist()
    monkeypatch.setattr(resident, "list_existing", lambda *_: iter([cut, *others]))
    assert paths() == paths(every) == [path for path in before if path != gone]
    assert paths(Chosen({"colors": pa.chunked_array([[gone]])})) == []
    assert len(before) == len(COLORS)


def test_the_rows_of_what_was_chosen_are_looked_up_once(gallery: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = []
    mark = Chosen.mark

    def watch(chosen: Chosen, images: pa.RecordBatch) -> pa.BooleanArray:
        marked.append(chosen)
        return mark(chosen, images)

    monkeypatch.setattr(Chosen, "mark", watch)
    query = load_embedder(gallery.uri, "tiny").embed_images([Image.new("RGB", (30, 20), COLORS["red"])])[0]
    held = Resident(gallery)

    def paths(chosen: Chosen) -> list[str]:
        embeddings = held.read()
        return [hit.image_path for hit in embeddings.find_nearest(embeddings.choose("tiny"), query, 9, chosen)]

    some, other = (Chosen({"colors": pa.chunked_array([[name]])}) for name in ("red.png", "blue.png"))
    assert (paths(some), paths(other)) == (["red.png"], ["blue.png"])
    before = len(marked)
    assert (paths(some), paths(other)) == (["red.png"], ["blue.png"])
    assert len(marked) == before
