"""The page is one small file that loads nothing and runs nothing but its own script."""

import base64
import hashlib
import re

from starlette.testclient import TestClient


def test_the_page_is_small_and_its_policy_names_its_own_style_and_script(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(answer.content) < 100_000
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.+?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"


def test_nothing_is_loaded_from_elsewhere_and_texts_are_no_markup(client: TestClient) -> None:
    page = client.get("/").text
    assert not re.search(r"https?://|\son\w+=|\sstyle=|src=\"", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)


def test_every_element_that_the_script_names_is_there(client: TestClient) -> None:
    page = client.get("/").text
    assert set(re.findall(r"find\(\"(\w+)\"\)", page)) <= set(re.findall(r" id=\"(\w+)\"", page))
