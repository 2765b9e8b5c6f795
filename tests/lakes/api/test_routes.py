"""What each route answers."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

import pixlake
from pixlake.api.app import Api, make_app
from pixlake.api.bodies import Limits
from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.inference.loaded import load_embedder
from pixlake.search.chosen import Chosen
from tests.builders import tiny
from tests.builders.commands import run
from tests.builders.galleries import ADDRESS, EXPERIMENT, OTHER
from tests.builders.zoo import put_rows


def test_it_is_healthy_and_describes_every_route(client: TestClient, gallery: Lake) -> None:
    assert client.get("/health").json() == {"status": "ok", "version": pixlake.__version__}
    described = client.get("/openapi.json").json()
    assert described["info"]["version"] == pixlake.__version__
    methods = {
        (route.path.replace(":path", ""), method.lower())
        for route in Api(gallery, Limits()).routes()
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert methods == {(path, method) for path, item in described["paths"].items() for method in item}


def test_an_image_is_classified_however_it_is_sent(client: TestClient, red: bytes) -> None:
    answers = [
        client.post("/classify", content=red, headers={"Content-Type": kind}).json()
        for kind in ("image/png", "application/octet-stream", "application/x-www-form-urlencoded", "IMAGE/JPEG; a=b")
    ]
    answers.append(client.post("/classify", content=red).json())
    answers.append(client.post("/classify", files={"image": ("red.png", red)}).json())
    text = f"{red.hex()}\n"
    answers.append(client.post("/classify", content=text, headers={"Content-Type": "text/plain"}).json())
    assert list(answers[0]) == ["label", "score", "class_id", "model"]
    assert (answers[0]["label"], answers[0]["class_id"]) == ("red", 0)
    assert answers[0]["model"].startswith("colors@")
    assert answers.count(answers[0]) == len(answers)


def test_the_classes_asked_for_are_there_and_text_is_one_line(client: TestClient, red: bytes) -> None:
    answer = client.post("/classify?top=3&model=colors", content=red).json()
    assert [each["label"] for each in answer["classes"]] == ["red", "blue", "green"]
    assert answer["classes"][0]["score"] == answer["score"]
    line = client.post("/classify", content=red, headers={"Accept": "text/plain"})
    assert line.headers["content-type"] == "text/plain; charset=utf-8"
    assert line.text == f"red {answer['score']:.4f}\n"


def test_an_image_is_embedded_by_the_model_of_most_vectors(client: TestClient, gallery: Lake, red: bytes) -> None:
    expected = load_embedder(gallery.uri, "tiny").embed_images([Image.open(io.BytesIO(red)).convert("RGB")])[0]
    answer = client.post("/embed", content=red).json()
    assert answer["model"].startswith("tiny@")
    assert answer["dimensions"] == len(expected)
    assert answer["embedding"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert client.post("/embed?model=tiny", content=red).json() == answer
    line = client.post("/embed", content=red, headers={"Accept": "text/plain"}).text
    assert np.array(line.split(), float) == pytest.approx(expected, abs=1e-6)


def test_a_search_answers_as_the_command_does(client: TestClient, gallery: Lake, red: bytes) -> None:
    assert gallery.folder
    image = gallery.folder / "images/of/red.png"
    command = run("search", image, "--lake", gallery.folder, "--json", "-n", 3, "--experiment", EXPERIMENT)
    expected = json.loads(command.stdout)
    hits = client.post(f"/search?n=3&experiment={EXPERIMENT}&model=tiny", content=red).json()
    assert [list(hit) for hit in hits] == [list(hit) for hit in expected]
    assert [hit["image_path"] for hit in hits] == [hit["image_path"] for hit in expected]
    assert [hit["score"] for hit in hits] == pytest.approx([hit["score"] for hit in expected], abs=1e-6)
    assert hits[0]["image_path"] == "of/red.png"


def test_a_search_is_by_text_or_by_an_image_of_the_lake(client: TestClient, gallery: Lake) -> None:
    expected = json.loads(run("search", "red square", "--lake", gallery.folder, "--json", "-n", 2).stdout)
    hits = client.post("/search", json={"text": "red square", "n": 2}).json()
    assert [hit["image_path"] for hit in hits] == [hit["image_path"] for hit in expected]
    like = {"experiment_id": EXPERIMENT, "image_path": "of/green.png"}
    first, *_ = client.post("/search", json={"like": like}).json()
    assert (first["image_path"], first["score"]) == ("of/green.png", pytest.approx(1))
    among = client.post("/search", json={"like": like, "experiment": OTHER}).json()
    assert [hit["experiment_id"] for hit in among] == [OTHER]


def test_the_model_is_named_and_a_demo_model_says_so(own_gallery: Lake) -> None:
    assert own_gallery.folder
    client = TestClient(make_app(own_gallery), ADDRESS)
    models, demo = tiny.BundleLake(own_gallery.folder), {"rebuild": "make demo-models"}
    answer = client.post("/search?n=1", content=_png((1, 2, 3)))
    assert answer.headers["pixlake-model"].startswith("tiny@")
    assert "pixlake-notice" not in answer.headers
    model = models.embedder("emoji", source=demo)
    put_rows(own_gallery, "embeddings", [{"image_path": "a", "embedding": [1.0] * 4, "model": model}], "demo", "demo")
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    models.classifier("groups", graph, [tiny.image_input()], kind="image_classifier", source=demo)
    for path in ("/search?model=emoji", "/classify?model=groups"):
        notice = client.post(path, content=_png((1, 2, 3))).headers["pixlake-notice"]
        assert "is a demo model, trained on emoji alone" in notice


def test_a_text_asks_a_model_that_reads_texts_though_others_have_more_vectors(own_gallery: Lake) -> None:
    assert own_gallery.folder
    client = TestClient(make_app(own_gallery), ADDRESS)
    silent = tiny.BundleLake(own_gallery.folder).embedder("silent", files={"image.onnx": tiny.image_graph()}, text=None)
    rows = [{"image_path": f"{n}.png", "embedding": [1.0] * 4, "model": silent} for n in range(50)]
    put_rows(own_gallery, "embeddings", rows, "silent", "silent")
    assert client.post("/search", json={"text": "red"}).headers["pixlake-model"].startswith("tiny@")
    assert client.post("/search", content=_png((1, 2, 3))).headers["pixlake-model"].startswith("silent@")


def test_a_commit_is_found_by_the_next_search(own_gallery: Lake) -> None:
    client = TestClient(make_app(own_gallery), ADDRESS)
    assert client.get("/experiments").json()[0] == {"experiment_id": EXPERIMENT, "vectors": 4}
    model = client.post("/embed", content=_png((1, 2, 3))).json()
    row = {"image_path": "new.png", "embedding": model["embedding"], "model": model["model"]}
    put_rows(own_gallery, "embeddings", [row], "new", "later")
    hits = client.post("/search?n=1", content=_png((1, 2, 3))).json()
    assert hits[0]["image_path"] == "new.png"
    assert {"experiment_id": "later", "vectors": 1} in client.get("/experiments").json()


def test_thumbnails_are_drawn_by_size_and_asked_for_again_only_if_changed(client: TestClient) -> None:
    for query, size in (("", (256, 171)), ("?size=64", (64, 43)), ("?size=1024", (600, 400))):
        answer = client.get(f"/images/{EXPERIMENT}/of/blue%3F%23%C3%A9.png{query}")
        assert answer.headers["content-type"] == "image/webp"
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.size == size
        assert np.abs(np.array(picture.convert("RGB").getpixel((9, 9))) - (10, 10, 250)).max() < 12
        again = client.get(str(answer.url), headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def _png(color: tuple[int, int, int]) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(target, "PNG")
    return target.getvalue()


def test_a_search_finds_what_a_condition_chooses(gallery: Lake, red: bytes) -> None:
    asked = []

    def choose(lake: Lake, model: str, experiment: str | None, where: str) -> Chosen:
        asked.append((lake, model.partition("@")[0], experiment, where))
        if where == "wrong":
            raise BadRequest(f"no column wrong in {lake.uri}")
        return Chosen.of([pa.RecordBatch.from_pylist([{"experiment_id": EXPERIMENT, "image_path": "of/dark.png"}])])

    with TestClient(make_app(gallery, choose=choose), ADDRESS) as client:
        (hit,) = client.post("/search?where=a+%3D+1&experiment=colors", content=red).json()
        (same,) = client.post("/search", json={"text": "red", "where": "b"}).json()
        wrong = client.post("/search", json={"text": "red", "where": "wrong"})
    assert (hit["image_path"], same["image_path"]) == ("of/dark.png", "of/dark.png")
    assert asked[:2] == [(gallery, "tiny", "colors", "a = 1"), (gallery, "tiny", None, "b")]
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "no column wrong in the lake")


def test_a_condition_is_evaluated_again_after_a_commit_to_a_table_that_it_reads(own_gallery: Lake, red: bytes) -> None:
    names = ["of/dark.png"]

    def choose(*_: object) -> Chosen:
        rows = [{"experiment_id": EXPERIMENT, "image_path": name} for name in names]
        return Chosen.of([pa.RecordBatch.from_pylist(rows)])

    with TestClient(make_app(own_gallery, choose=choose), ADDRESS) as client:

        def found() -> list[str]:
            hits = client.post("/search?where=a&experiment=colors", content=red).json()
            return [hit["image_path"] for hit in hits]

        assert found() == ["of/dark.png"]
        names[0] = "of/red.png"
        assert found() == ["of/dark.png"], "the answer that was kept"
        put_rows(
            own_gallery, "records", [{"record_id": "r", "image_paths": [], "attributes": []}], "commit", EXPERIMENT
        )
        assert found() == ["of/red.png"]


def test_a_condition_is_refused_where_nothing_evaluates_it(client: TestClient, red: bytes) -> None:
    answer = client.post("/search?where=a", content=red)
    assert (answer.status_code, answer.json()["detail"]) == (422, "this server takes no condition")


def test_distinct_leaves_out_copies(client: TestClient, red: bytes) -> None:
    everything = client.post("/search", content=red).json()
    distinct = client.post("/search?distinct=true", content=red).json()
    assert [hit["image_path"] for hit in everything[:2]] == ["of/red.png"] * 2, "one in each experiment"
    assert distinct == [everything[0], *everything[2:]]
    assert client.post("/search", json={"text": "red", "distinct": True}).json() != everything
    assert client.post("/search?distinct=1", content=red).status_code == 422
