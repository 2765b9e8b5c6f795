"""The app behind API Gateway: each route by both payloads, each event of events/, what is refused, logs, metrics."""

import io
import json
import logging
import math
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from pixlake.api import app as api
from pixlake.api.gateway import COUNTS, Gateway, limits_for, tell
from pixlake.handler import SERVICE, instrumented
from pixlake.iceberg.lakes import Lake
from pixlake.settings import ApiSettings
from tests.builders.galleries import EXPERIMENT
from tests.builders.gateway import Asked, encode_form, read_body
from tests.builders.pictures import png
from tests.project import ROOT, read_event

CONTEXT = SimpleNamespace(
    function_name="pixlake-ApiFunction", memory_limit_in_mb=3008, invoked_function_arn="arn", aws_request_id="1"
)
EVENTS = sorted(path.stem for path in ROOT.glob("events/api_*.json"))
PAYLOADS = {"1.0": Asked.as_v1, "2.0": Asked.as_v2}
Payload = Callable[[Asked], dict[str, Any]]
by_payload = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())


def settings(lake: Lake) -> ApiSettings:
    return ApiSettings(lake.uri, catalog_uri=lake.catalog_uri)


@pytest.fixture(scope="module")
def gateway(gallery: Lake, tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway(settings(gallery), gallery, tmp_path_factory.mktemp("cache"))


def post(path: str, body: bytes, kind: str = "image/png", **headers: str) -> Asked:
    return Asked("POST", path, body, {"content-type": kind, **headers})


def said(answer: dict[str, Any]) -> Any:
    assert answer["statusCode"] == 200, answer
    return json.loads(read_body(answer))


@by_payload
def test_every_route_answers(gateway: Gateway, red: bytes, payload: Payload) -> None:
    def ask(asked: Asked) -> dict[str, Any]:
        return gateway(payload(asked), CONTEXT)

    assert said(ask(Asked("GET", "/health")))["status"] == "ok"
    assert said(ask(Asked("GET", "/openapi.json")))["info"]["title"] == "Pixlake"
    assert said(ask(Asked("GET", "/experiments")))[0] == {"experiment_id": EXPERIMENT, "vectors": 4}
    assert read_body(ask(Asked("GET", "/"))).lstrip().startswith(b"<!doctype html>")
    assert said(ask(post("/classify?top=2", red)))["classes"][0]["label"] == "red"
    assert said(ask(post("/embed?model=tiny", red)))["dimensions"] == 4
    hits = ask(post(f"/search?n=1&experiment={EXPERIMENT}", red))
    assert [hit["image_path"] for hit in said(hits)] == ["of/red.png"]
    assert hits["headers"]["pixlake-model"].startswith("tiny@")
    thumbnail = ask(Asked("GET", f"/images/{EXPERIMENT}/of/blue%3F%23%C3%A9.png?size=64"))
    assert thumbnail["isBase64Encoded"] is True
    assert Image.open(io.BytesIO(read_body(thumbnail))).size == (64, 43)


@by_payload
def test_an_image_is_classified_however_it_is_sent(gateway: Gateway, red: bytes, payload: Payload) -> None:
    form, kind = encode_form("image", red)
    ways = [
        post("/classify", red),
        post("/classify", red, "application/octet-stream"),
        post("/classify", form, kind),
        post("/classify", red.hex().encode(), "text/plain"),
        post("/classify", f"{red.hex()}\n".encode(), "text/plain; charset=utf-8"),
    ]
    answers = [said(gateway(payload(asked), CONTEXT)) for asked in ways]
    assert answers[0]["label"] == "red"
    assert answers.count(answers[0]) == len(answers)


@by_payload
def test_a_client_that_takes_text_gets_one_line(gateway: Gateway, red: bytes, payload: Payload) -> None:
    answer = gateway(payload(post("/classify", red.hex().encode(), "text/plain", accept="text/plain")), CONTEXT)
    assert (answer["isBase64Encoded"], answer["headers"]["content-type"]) == (False, "text/plain; charset=utf-8")
    assert answer["body"].startswith("red 0.")
    assert answer["body"].count("\n") == 1


@by_payload
def test_the_model_is_named_by_the_address_or_else_by_a_header(gateway: Gateway, red: bytes, payload: Payload) -> None:
    named = {"pixlake-model": "none"}
    for path in ("/classify", "/embed", "/search"):
        assert gateway(payload(post(path, red, **named)), CONTEXT)["statusCode"] == 404, path
        model = "colors" if path == "/classify" else "tiny"
        assert gateway(payload(post(f"{path}?model={model}", red, **named)), CONTEXT)["statusCode"] == 200, path


@pytest.mark.parametrize("name", EVENTS)
def test_the_events_to_try_by_hand_are_answered(name: str, gateway: Gateway) -> None:
    answer = gateway(read_event(name), CONTEXT)
    assert answer["statusCode"] == 200, answer
    assert read_body(answer)


@by_payload
def test_hostile_images_are_refused_by_what_is_wrong(gateway: Gateway, red: bytes, payload: Payload) -> None:
    cases: list[tuple[int, str, bytes, str]] = [
        (400, "empty", b"", "image/png"),
        (400, "not_an_image", b"GIF? no", "image/png"),
        (400, "not_an_image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (400, "", red[: len(red) // 2], "image/png"),
        (413, "too_many_pixels", png(30_000, 30_000, 8, 2, b"\0" * 100), "image/png"),
        (413, "bytes", bytes(50_000_000), "image/png"),
        (415, "not application/pdf", red, "application/pdf"),
        (400, "hex digits", b"0g", "text/plain"),
        (400, "form", b"--x\r\nno", "multipart/form-data; boundary=x"),
    ]
    for status, text, body, kind in cases:
        check(gateway(payload(post("/classify", body, kind)), CONTEXT), status, text)
    check(gateway(payload(post("/search?n=0", red)), CONTEXT), 422, "n is a whole number")
    check(gateway(payload(Asked("GET", "/none")), CONTEXT), 404, "Not Found")
    check(gateway(payload(Asked("GET", f"/images/{EXPERIMENT}/..%2f..%2fcatalog.db")), CONTEXT), 404, "no image")


def check(answer: dict[str, Any], status: int, text: str) -> None:
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["isBase64Encoded"] is False
    problem = json.loads(answer["body"])
    assert text in f"{problem.get('reason', '')} {problem['detail']}"
    assert "Traceback" not in answer["body"]


def test_a_fault_is_a_500_without_its_trace_and_the_next_request_is_answered(
    gateway: Gateway, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("/secret")

    with monkeypatch.context() as patched:
        patched.setattr(api, "choose_classifier", fail)
        answer = gateway(post("/classify", red).as_v2(), CONTEXT)
    assert (answer["statusCode"], "secret" in answer["body"]) == (500, False)
    assert gateway(post("/classify", red).as_v2(), CONTEXT)["statusCode"] == 200


def test_a_stack_without_an_upload_answers_404(tmp_path: Path) -> None:
    lake = Lake.at(str(tmp_path))
    answer = Gateway(settings(lake), lake, tmp_path / "cache")(Asked("GET", "/experiments").as_v2(), CONTEXT)
    check(answer, 404, "the first upload makes it")


def test_what_an_image_and_a_model_may_take_follows_the_functions_memory() -> None:
    small, large = (
        limits_for(
            ApiSettings("s3://lake", catalog_uri="glue", aws_lambda_function_memory_size=size, inference_threads=2)
        )
        for size in (1_769, 10_240)
    )
    assert small.image.together < 1_769 << 20 < large.image.together
    assert small.model
    assert large.model
    assert 0 < small.model.memory < large.model.memory
    assert math.isfinite(small.body_bytes)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the log has got."""
    stream = io.StringIO()
    (log,) = logging.getLogger(SERVICE).handlers
    assert isinstance(log, logging.StreamHandler)
    before = log.setStream(stream)
    yield lambda: [json.loads(line) for line in (stream.getvalue() + capsys.readouterr().out).splitlines()]
    log.setStream(before)


@by_payload
def test_a_request_leaves_a_line_and_metrics_but_nothing_of_what_was_sent(
    gateway: Gateway, red: bytes, payload: Payload, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    event = payload(post("/classify?model=none", red))
    answer = instrumented(*COUNTS, tell=tell)(gateway.__call__)(event, CONTEXT)
    assert answer["statusCode"] == 404
    line, metric = lines()
    assert line["correlation_id"] == event["requestContext"]["requestId"]
    expected = {"method": "POST", "path": "/classify", "status": 404, "requests": 1, "refused": 1, "failed": 0}
    assert line["answer"] == expected
    assert event["body"] not in json.dumps(line)
    assert (metric["requests"], metric["refused"], metric["failed"]) == ([1.0], [1.0], [0.0])


def test_the_handler_is_the_gateway_of_the_lake_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_URI", "s3://lake")
    monkeypatch.setenv("CATALOG_URI", "glue://pets")
    app = runpy.run_path(str(ROOT / "functions/api/app.py"))
    assert said(app["handler"](read_event("api_v2"), CONTEXT))["status"] == "ok"
