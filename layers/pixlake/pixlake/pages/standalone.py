"""A page in one file: its style, script and pictures inside. Its content security policy lets it load nothing."""

import functools
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pixlake.pages.policy import Page, read_look, write_policy
from pixlake.report.words import readable, shorten

_HERE = Path(__file__).parent / "templates"


def render(name: str, data: object = None, pictures: str = "data:", **facts: object) -> Page:
    """The page `templates/<name>.html` with its style and script, which reads `data` as JSON; it may show `pictures`
    from these sources."""
    style, script = read_look() + _read(f"{name}.css"), _read(f"{name}.js")
    policy, template = write_policy(style, script, f"img-src {pictures}"), _environment().get_template(f"{name}.html")
    html = template.render(style=Markup(style), script=Markup(script), policy=policy, data=_embed(data), **facts)
    return Page(html, policy)


def _read(name: str) -> str:
    file = _HERE / name
    return file.read_text("utf-8") if file.exists() else ""


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
