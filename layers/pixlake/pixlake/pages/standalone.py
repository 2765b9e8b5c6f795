"""A page in one file: its style, script and pictures inside. Its content security policy lets it load nothing."""

import base64
import functools
import hashlib
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pixlake.report.words import readable, shorten

_HERE = Path(__file__).parent / "templates"
_LOOK = Path(__file__).parents[1] / "report" / "templates" / "style.css"


def render(name: str, data: object = None, **facts: object) -> str:
    """The page `templates/<name>.html` with its style and script, which reads `data` as JSON."""
    style, script = _LOOK.read_text("utf-8") + _read(f"{name}.css"), _read(f"{name}.js")
    return (
        _environment()
        .get_template(f"{name}.html")
        .render(style=Markup(style), script=Markup(script), policy=_policy(style, script), data=_embed(data), **facts)
    )


def _read(name: str) -> str:
    file = _HERE / name
    return file.read_text("utf-8") if file.exists() else ""


def _policy(style: str, script: str) -> str:
    """Its own style and script by their hashes, pictures that it holds, and nothing else."""
    rules = ["default-src 'none'", f"style-src {_hash(style)}", f"script-src {_hash(script)}", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
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
