"""A page holds all it shows, and no text of an upload becomes a part of it."""

import base64
import hashlib
import re

import msgspec
import pytest

from pixlake.pages.standalone import render

HOSTILE = "</script><script>alert(1)</script><!-- \u202e \u2028"


def page(text: str = "x") -> str:
    return render("map", {"paths": [text]}, title=text, is_served=False).html


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_lets_only_its_own_style_and_script_in(tag: str) -> None:
    html = page()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|url\(|https?://|@import""", page())


def test_a_hostile_text_stays_data() -> None:
    html = page(HOSTILE)
    assert html.count("<script") == page().count("<script")
    (data,) = re.findall(r'type="application/json">(.*?)</script>', html, re.DOTALL)
    assert msgspec.json.decode(data) == {"paths": [HOSTILE]}
    (title,) = re.findall("<title>(.*?)</title>", html)
    assert "&lt;/script&gt;" in title
    assert "\u202e" not in title
