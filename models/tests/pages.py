"""The commands of the pages on models, for tests with torch and without."""

import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/autogluon-container.md",
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


def follow(
    lines: Iterable[str],
    folder: Path,
    programs: Path,
    settings: Mapping[str, str],
    skipped: tuple[str, ...] = ("make",),
) -> dict[str, str]:
    """What each command printed, run by a shell in `folder` with `programs` first in the path; those of the programs
    `skipped` are not run. AssertionError for one that fails."""
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **settings}
    printed = {}
    for line in lines:
        if line.split()[0] not in skipped:
            command = ["bash", "-c", line]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
            printed[line] = done.stdout
    return printed


def read_lines(page: str) -> Iterator[str]:
    """The commands of a page's shell blocks; one goes on behind a `\\` and in open quotes."""
    text = (ROOT / page).read_text()
    for block in re.findall(r"```(?:sh|bash)\n(.+?)```", text, re.DOTALL):
        yield from _split(block)


def read_examples(command: str) -> Iterator[str]:
    """The examples in the help of `pixlake models COMMAND`, as docs/cli.md has it."""
    text = (ROOT / "docs/cli.md").read_text().partition(f"\n## pixlake models {command}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"\n\n((?:    .+\n)+)", text):
        yield from _split(textwrap.dedent(block))


def _split(block: str) -> Iterator[str]:
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
