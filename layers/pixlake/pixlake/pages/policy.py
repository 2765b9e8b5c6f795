"""What a page in one file may load and run: its own style and script, and nothing else."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_LOOK = (_HERE.parent / "report/templates/style.css", _HERE / "templates/top.css")


@dataclass(frozen=True)
class Page:
    """`policy` is its content security policy: its own style and script by their hashes, and no other."""

    html: str
    policy: str


def read_look() -> str:
    """The style that pages share: a report's, and that of what is typed and pressed."""
    return "".join(path.read_text("utf-8") for path in _LOOK)


def write_policy(style: str, script: str, *sources: str) -> str:
    """The policy of a page with this style and script, and `sources` of other kinds."""
    own = [f"style-src {_hash(style)}", f"script-src {_hash(script)}"]
    return "; ".join(["default-src 'none'", *own, *sources, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
