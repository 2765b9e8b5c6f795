"""The page: one HTML file with its style and script inside, which may load nothing but this server's answers."""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Page:
    """`policy` is its content security policy: its own style and script by their hashes, and no other."""

    html: str
    policy: str


def make_page() -> Page:
    """The page, its look that of a report."""
    parts = files("pixlake.api") / "page"
    report = files("pixlake.report") / "templates" / "style.css"
    style = report.read_text("utf-8") + (parts / "page.css").read_text("utf-8")
    script = (parts / "page.js").read_text("utf-8")
    html = (parts / "page.html").read_text("utf-8").replace("/*style*/", style).replace("/*script*/", script)
    policy = [
        "default-src 'none'",
        f"style-src {_hash(style)}",
        f"script-src {_hash(script)}",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    return Page(html, "; ".join(policy))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
