"""The shells' completion: the lines of docs/cli.md, and what they answer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT

PIXLAKE = Path(sys.executable).with_name("pixlake")
LINES = dict(
    re.findall(r"^\| (bash|zsh|fish)\b.* \| `([^`]*pixlake[^`]*)` \|$", (ROOT / "docs/cli.md").read_text(), re.M)
)
ASKED = {
    "bash": {"COMP_WORDS": "pixlake {words}", "COMP_CWORD": "{place}"},
    "zsh": {"COMP_WORDS": "pixlake {words}", "COMP_CWORD": "{place}"},
    "fish": {"COMP_WORDS": "pixlake {words}", "COMP_CWORD": "{last}"},
}


def complete(shell: str, words: str) -> str:
    """What the command answers to a shell at the end of these words."""
    values = {"words": words, "place": len(words.split()), "last": words.split()[-1]}
    asked = {name: form.format(**values) for name, form in ASKED[shell].items()}
    environment = {**os.environ, **asked, "_PIXLAKE_COMPLETE": f"{shell}_complete"}
    return subprocess.run([PIXLAKE], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", list(ASKED))
def test_a_command_and_its_options_are_completed(shell: str) -> None:
    assert re.findall(r"\w+", complete(shell, "dele").replace("plain", ""))[0] == "delete"
    assert "--experiment" in complete(shell, "delete --exp")


@pytest.mark.parametrize("shell", list(ASKED))
def test_the_documented_line_is_the_shells_script(shell: str) -> None:
    (source,) = re.findall(r"_PIXLAKE_COMPLETE=(\w+) pixlake", LINES[shell])
    environment = {**os.environ, "_PIXLAKE_COMPLETE": source}
    script = subprocess.run([PIXLAKE], env=environment, capture_output=True, text=True, check=True).stdout
    assert f"_PIXLAKE_COMPLETE={shell}_complete" in script


def test_bash_takes_the_documented_line() -> None:
    environment = {**os.environ, "PATH": f"{PIXLAKE.parent}:{os.environ['PATH']}"}
    said = subprocess.run(
        ["bash", "-c", f"{LINES['bash']}; complete -p pixlake"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip().endswith("_pixlake_completion pixlake")
