"""What is refused, how it is said, and what is never said."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixlake.api import app as api
from pixlake.api.app import make_app
from pixlake.api.bodies import Limits
from pixlake.errors import AccessDenied, CatalogError
from pixlake.iceberg.lakes import Lake
from pixlake.images import decoders
from tests.builders.galleries import ADDRESS, EXPERIMENT
from tests.builders.pictures import png

POSTS = ("/classify", "/embed", "/search")


def check(answer: Any, status: int, said: str, lake: Lake) -> None:
    """A problem, with what to do and without where the lake lies."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert said in f"{problem.get('reason', '')} {problem['detail']}"
    assert str(lake.folder) not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", POSTS)
def test_hostile_images_are_refused_by_what_is_wrong(path: str, client: TestClient, gallery: Lake, red: bytes) -> None:
    cases: list[tuple[int, str, bytes, str]] = [
        (400, "empty", b"", "image/png"),
        (400, "not_an_image", b"GIF? no", "image/png"),
        (400, "not_an_image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (400, "", red[: len(red) // 2], "image/png"),
        (413, "too_many_pixels", png(30_000, 30_000, 8, 2, b"\0" * 100), "image/png"),
        (413, "side_too_long", png(100_000, 10, 8, 2, b"\0" * 100), "image/png"),
        (415, "not application/pdf", red, "application/pdf"),
        (400, "hex digits", b"0g", "text/plain"),
        (400, "hex digits", b"abc", "text/plain"),
        (400, "boundary", red, "multipart/form-data"),
        (400, "form", b"--x\r\nno", "multipart/form-data; boundary=x"),
        (400, "0 files", b"--x--\r\n", "multipart/form-data; boundary=x"),
    ]
    for status, said, body, kind in cases:
        check(client.post(path, content=body, headers={"Content-Type": kind}), status, said, gallery)
    two = [("a", ("a.png", red)), ("b", ("b.png", red))]
    check(client.post(path, files=two), 400, "2 files", gallery)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(path: str, gallery: Lake) -> None:
    client, read = TestClient(make_app(gallery, Limits(body_bytes=1_000)), ADDRESS), []

    def body() -> Any:
        for _ in range(50):
            read.append(1)
            yield b"x" * 600

    check(client.post(path, content=b"x" * 1_001), 413, "1,000 bytes", gallery)
    check(client.post(path, content=body()), 413, "1,000 bytes", gallery)
    if path == "/search":
        check(client.post(path, json={"text": "x" * 2_000}), 413, "1,000 bytes", gallery)


def test_an_image_that_takes_its_decoder_too_long_is_refused(gallery: Lake, red: bytes) -> None:
    limits = Limits(image=decoders.Limits(seconds=0.0))
    check(TestClient(make_app(gallery, limits), ADDRESS).post("/embed", content=red), 400, "too_slow", gallery)


def test_a_declared_size_is_believed_without_reading(gallery: Lake) -> None:
    sent = _call(make_app(gallery), _never, [(b"content-length", b"99999999999")])
    assert sent[0]["status"] == 413


def test_a_body_that_does_not_come_is_given_up(gallery: Lake) -> None:
    sent = _call(make_app(gallery, Limits(body_seconds=0.01)), _never, [])
    assert sent[0]["status"] == 408


def test_a_client_that_goes_away_is_no_fault(gallery: Lake) -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert _call(make_app(gallery), gone, [])[0]["status"] == 400


def test_what_is_asked_for_must_make_sense(client: TestClient, gallery: Lake, red: bytes) -> None:
    like = {"experiment_id": EXPERIMENT, "image_path": "none.png"}
    cases: list[tuple[int, str, str, dict[str, Any]]] = [
        (422, "top is a whole number", "/classify?top=0", {"content": red}),
        (422, "n is a whole number", "/search?n=x", {"content": red}),
        (422, "n is a whole number", "/search", {"json": {"text": "a", "n": 1_001}}),
        (422, "text", "/search", {"json": {}}),
        (422, "text", "/search", {"json": {"text": " "}}),
        (422, "unknown field", "/search", {"json": {"text": "a", "limit": 1}}),
        (422, "got `int`", "/search", {"json": {"text": 1}}),
        (400, "no JSON", "/search", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        (404, "no model 'none'", "/classify?model=none", {"content": red}),
        (422, "does not classify images", "/classify?model=tiny", {"content": red}),
        (404, "no model 'none'", "/embed?model=none", {"content": red}),
        (422, "an embedder is needed", "/embed?model=colors", {"content": red}),
        (404, "no embeddings by the model none", "/search?model=none", {"content": red}),
        (404, "experiment 'none'", "/search?experiment=none", {"content": red}),
        (404, "none.png", "/search", {"json": {"like": like}}),
    ]
    for status, said, path, sent in cases:
        check(client.post(path, **sent), status, said, gallery)
    check(client.post("/classify?model=../x", content=red), 404, "no model", gallery)


def test_other_paths_and_methods_are_problems_too(client: TestClient, gallery: Lake) -> None:
    check(client.get("/none"), 404, "Not Found", gallery)
    answer = client.get("/search")
    check(answer, 405, "Method Not Allowed", gallery)
    assert answer.headers["allow"] == "POST"


def test_images_are_those_of_the_table_alone(own_gallery: Lake) -> None:
    assert own_gallery.folder
    client = TestClient(make_app(own_gallery), ADDRESS)
    paths = ["of/none.png", "../catalog.db", "..%2f..%2fcatalog.db", "%2fetc%2fpasswd", "of", ""]
    for path in paths:
        answer = client.get(f"/images/{EXPERIMENT}/{path}")
        assert answer.status_code == 404, path
    check(client.get("/images/none/of/red.png"), 404, "no image", own_gallery)
    check(client.get(f"/images/{EXPERIMENT}/of/red.png?size=9999"), 422, "size is a whole number", own_gallery)
    images = own_gallery.folder / "images" / "of"
    (images / "green.png").write_bytes(b"no image")
    check(client.get(f"/images/{EXPERIMENT}/of/green.png"), 404, "cannot be shown", own_gallery)
    (images / "red.png").rename(own_gallery.folder / "outside.png")
    check(client.get(f"/images/{EXPERIMENT}/of/red.png"), 404, "does not exist", own_gallery)
    (images / "red.png").symlink_to(own_gallery.folder / "outside.png")
    check(client.get(f"/images/{EXPERIMENT}/of/red.png"), 404, "outside of the lake's images", own_gallery)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CatalogError("/secret/catalog.db is locked"), 503, "ask again in a moment"),
        (AccessDenied("s3://secret/key: access is denied"), 500, "log"),
        (ZeroDivisionError("/secret"), 500, "log"),
    ],
)
def test_what_fails_inside_is_told_to_the_log_alone(
    error: Exception, status: int, said: str, gallery: Lake, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(api, "choose_classifier", fail)
    client = TestClient(make_app(gallery), ADDRESS, raise_server_exceptions=False)
    answer = client.post("/classify", content=red)
    check(answer, status, said, gallery)
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_too_many_bodies_at_once_are_sent_away_and_others_answered(gallery: Lake, red: bytes) -> None:
    client = TestClient(make_app(gallery, Limits(at_once=0)), ADDRESS)
    answer = client.post("/classify", content=red)
    check(answer, 503, "too many requests", gallery)
    assert int(answer.headers["retry-after"]) > 0
    assert client.get("/health").status_code == 200


def test_a_page_of_a_strangers_cannot_ask_under_its_own_name(gallery: Lake) -> None:
    client = TestClient(make_app(gallery), ADDRESS)
    for host, status in (("evil.example", 421), ("evil.example:8000", 421), ("LOCALHOST:1", 200), ("[::1]:80", 200)):
        assert client.get("/health", headers={"Host": host}).status_code == status
    assert TestClient(make_app(gallery, hosts=()), "http://evil.example").get("/health").status_code == 200
    assert "access-control-allow-origin" not in client.get("/health", headers={"Origin": "http://evil.example"}).headers


async def _never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


def _call(app: Any, receive: Callable[[], Any], headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    """The messages of an answer to a POST, whose body comes as `receive` gives it."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/classify",
        "raw_path": b"/classify",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
    }
    asyncio.run(app(scope, receive, send))
    return sent
