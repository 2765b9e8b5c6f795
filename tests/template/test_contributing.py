"""The commands that CONTRIBUTING.md and README.md show are there, and CI runs what a person runs.

Tests are collected, targets and functions looked up: to run them here would be to run everything. (`make -n` would run
those of a target's lines that call make again.)
"""

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.project import ROOT

PAGES = ["CONTRIBUTING.md", "README.md"]
# make of a test that make runs would take the flags of the one above
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def shown(page: str) -> list[str]:
    """The commands in a page's blocks of shell, and those in its text that begin as commands do."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    named = re.findall(r"`((?:make |\.ci/|\.venv/)[^`]*)`", text)
    return [line for line in [*lines, *named] if line and not line.startswith("#")]


def select(pages: list[str], start: str) -> list[str]:
    return sorted({command for page in pages for command in shown(page) if command.startswith(start)})


def call(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """All that make can make."""
    database = call("make", "--print-data-base", "--question", "help").stdout
    return set(re.findall(r"^([a-z][a-z0-9.-]*):", database, re.MULTILINE))


@pytest.mark.parametrize("command", select(PAGES, "make "))
def test_a_target_is_there(command: str, targets: set[str]) -> None:
    wanted = [word for word in shlex.split(command)[1:] if "=" not in word]
    assert wanted
    assert targets.issuperset(wanted)


@pytest.mark.parametrize("command", select(PAGES, ".venv/bin/python -m pytest"))
def test_a_selection_selects_a_test(command: str) -> None:
    done = call(sys.executable, *shlex.split(command)[1:], "--collect-only")
    assert done.returncode == 0, done.stdout
    assert "::test_" in done.stdout


@pytest.mark.parametrize("command", select(PAGES, "PATH="))
def test_a_function_to_invoke_has_its_event(command: str, template: dict[str, Any]) -> None:
    found = re.search(r"sam local invoke (\w+) -e (\S+)", command)
    assert found
    assert template["Resources"][found[1]]["Type"] == "AWS::Serverless::Function"
    assert (ROOT / found[2]).is_file()


def test_each_kind_of_command_was_found() -> None:
    starts = ["make test", ".venv/bin/python -m pytest", "PATH=", ".ci/run"]
    assert all(select(["CONTRIBUTING.md"], start) for start in starts)


def test_ci_runs_what_a_person_runs() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    steps = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    wanted = re.findall(r"^make ([a-z-]+)$", script, re.MULTILINE)
    assert wanted
    assert all(re.search(rf"^make (PYTHON=.* )?{target}$", steps, re.MULTILINE) for target in wanted)
