"""The commands of the pages on models."""

import re
import shlex
from collections.abc import Iterator

from tests.project import ROOT

PAGES = (
    "README.md",
    "docs/bundles.md",
    "docs/models-compile.md",
    "docs/models-export.md",
    "docs/models-get.md",
    "docs/models-zero-shot.md",
    "docs/photographs.md",
    "docs/tutorial-train.md",
)
_INNER = re.compile(r"\$\((pixlake [^)]*)\)")


def read_commands(page: str) -> Iterator[str]:
    """The lines that call `pixlake`, as the page has them, and the commands inside of them."""
    for line in read_lines(page):
        if line.startswith("pixlake "):
            yield from _INNER.findall(line)
            yield line


def read_lines(page: str) -> Iterator[str]:
    """The commands of a page's shell blocks; one goes on behind a `\\` and in open quotes."""
    text = (ROOT / page).read_text()
    for block in re.findall(r"```(?:sh|bash)\n(.+?)```", text, re.DOTALL):
        command = ""
        for line in block.replace("\\\n", " ").splitlines():
            command += f"\n{line}" if command else line
            if command and _is_whole(command):
                yield command
                command = ""


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
