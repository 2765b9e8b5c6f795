"""The HTTP API in its container, asked as `sam local start-api` hands requests on."""

import io
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from PIL import Image

from tests.containers.conftest import BUILT
from tests.containers.docker import LAKE
from tests.project import ROOT, read_template

PATIENCE = 120.0


@pytest.fixture(scope="module")
def address(storage: Any, network: str) -> Iterator[str]:  # noqa: ARG001
    """Of the built API over the lake that `storage` fills."""
    template = read_template(BUILT / "ApiApplication/template.yaml")
    variables = template["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]
    variables |= {"LAKE_URI": f"s3://{LAKE}", "CATALOG_URI": "glue://pixlake_test"}
    variables |= {"AWS_ENDPOINT_URL": "http://store:5000", "AWS_ALLOW_HTTP": "true"}
    path = BUILT / f"ApiApplication/local-{os.getpid()}.yaml"
    path.write_text(yaml.safe_dump(template))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["sam", "local", "start-api", "--template", path, "--port", port, "--docker-network", network]
    words += ["--skip-pull-image", "--warm-containers", "LAZY", "--region", "us-east-1"]
    words += ["--parameter-overrides", f"LakeBucket={LAKE} DatabaseName=pixlake_test FunctionsLogGroup=x AlarmTopic=x"]
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}
    log = BUILT.parent / "start-api.log"
    try:
        with log.open("wb") as output:
            process = subprocess.Popen([*map(str, words)], cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE)
            print(log.read_text()[-3_000:])
    finally:
        path.unlink()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def ask(address: str, body: bytes | None = None, kind: str = "", **headers: str) -> tuple[int, str, bytes]:
    """The status, the media type and the body."""
    sent = {"Content-Type": kind, **headers} if body is not None else headers
    request = urllib.request.Request(address, body, sent)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def png() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(target, "PNG")
    return target.getvalue()


def test_the_container_answers_as_the_app_does(address: str) -> None:
    start = time.monotonic()
    status, _, body = ask(f"{address}/health")
    print(f"{'ApiFunction':22} {time.monotonic() - start:5.1f} s, cold, with its container's start")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    model = "model=imagenet-lite0"
    classified = [
        ask(f"{address}/classify?{model}", png(), "image/png"),
        ask(f"{address}/classify?{model}", png().hex().encode(), "text/plain"),
        ask(f"{address}/classify", png(), "image/png", **{"Pixlake-Model": "imagenet-lite0"}),
    ]
    assert [status for status, _, _ in classified] == [200] * 3, classified
    assert json.loads(classified[0][2])["model"].startswith("imagenet-lite0@")
    assert len({body for _, _, body in classified}) == 1
    status, _, body = ask(f"{address}/embed?model=photo-lite0", png(), "image/png")
    assert (status, len(json.loads(body)["embedding"])) == (200, json.loads(body)["dimensions"])


def test_what_is_refused_in_the_container_is_a_problem(address: str) -> None:
    for status, path, sent, kind in (
        (400, "/classify?model=imagenet-lite0", b"GIF? no", "image/png"),
        (415, "/classify", b"%PDF", "application/pdf"),
        (404, "/classify?model=none", png(), "image/png"),
    ):
        found, media, body = ask(f"{address}{path}", sent, kind)
        assert (found, media) == (status, "application/problem+json"), body
    assert ask(f"{address}/experiments")[0] == 404
