"""A page in one file: its style, script and pictures inside. Its content security policy lets it load nothing."""

import base64
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pixlake.report.words import readable, shorten

_HERE = Path(__file__).parent / "templates"
_LOOK = Path(__file__).parents[1] / "report" / "templates" / "style.css"


@dataclass(frozen=True)
class Page:
    """`policy` is its content security policy: its own style and script by their hashes, and no other."""

    html: str
    policy: str


def render(name: str, data: object = None, pictures: str = "data:", **facts: object) -> Page:
    """The page `templates/<name>.html` with its style and script, which reads `data` as JSON; it may show `pictures`
    from these sources."""
    style, script = read_look() + _read(f"{name}.css"), _read(f"{name}.js")
    policy, template = _policy(style, script, pictures), _environment().get_template(f"{name}.html")
    html = template.render(style=Markup(style), script=Markup(script), policy=policy, data=_embed(data), **facts)
    return Page(html, policy)


def read_look() -> str:
    """The style that pages share: a report's, and that of what is typed and pressed."""
    return _LOOK.read_text("utf-8") + _read("top.css")


def _read(name: str) -> str:
    file = _HERE / name
    return file.read_text("utf-8") if file.exists() else ""


def _policy(style: str, script: str, pictures: str) -> str:
    """Its own style and script by their hashes, pictures, and nothing else."""
    rules = [
        "default-src 'none'",
        f"style-src {hash_source(style)}",
        f"script-src {hash_source(script)}",
        f"img-src {pictures}",
    ]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def hash_source(text: str) -> str:
    """A style or script as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embed(data: object) -> Markup:
    """JSON that no text of which ends the element that it is in."""
    return Markup(msgspec.json.encode(data).decode().replace("<", "\\u003c"))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shorten": shorten, "readable": readable}
    return environment
