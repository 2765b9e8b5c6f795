"""What is deployed has the packages that its code imports, of the versions that the tests ran with, and no others."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.project import ROOT

PACKAGE = ROOT / "layers/pixlake"
MODELS = ROOT / "models"
# What a container needs that no import of ours shows: its entry point, and what Starlette reads forms with.
ENTRY_POINT = {"awslambdaric", "python-multipart"}
# What this environment lacks by the name of its module: the AutoGluon container runs on models/requirements.txt.
DISTRIBUTIONS = {"autogluon": "autogluon-multimodal", "pandas": "pandas", "torch": "torch"}
# What comes with another package by the extra that is named in requirements.in.
EXTRAS = {"boto3": "pyiceberg", "botocore": "pyiceberg", "sqlalchemy": "pyiceberg"}
# Imported where a text is embedded, which the command and the API do, and no step.
TEXTS = {"ftfy"}
SEARCHING = {"api"}
ZIPPED = {"plan", "extract", "collect"}
# The Lambda runtime of zipped functions brings boto3.
RUNTIME = {"pyiceberg"}
SHARING = {"record_failure": "report", "maintain": "compact", "mirror": "compact"}


def requirements(path: Path) -> set[str]:
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines() if not line.startswith("-c ")]
    return {re.split(r"[\[<>=~ ]", line)[0].lower() for line in lines if line}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def imported(path: Path) -> set[str]:
    """Every module that a file imports when it runs; `if TYPE_CHECKING` does not."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


@cache
def distributions() -> dict[str, str]:
    installed = {module: names[0].lower().replace("_", "-") for module, names in packages_distributions().items()}
    return installed | DISTRIBUTIONS


def needed(folder: str) -> set[str]:
    """The distributions that a function's handler and the modules of ours that it reaches import."""
    # what `pixlake.open` reaches is imported when a person calls it, and no function does
    files, todo, outside = {PACKAGE / "pixlake/opened.py"}, [ROOT / "functions" / folder / "app.py"], set()
    while todo:
        path = todo.pop()
        if path in files:
            continue
        files.add(path)
        for module in imported(path):
            if (ours := {"pixlake": PACKAGE}.get(module.split(".")[0])) is not None:
                base = ours / Path(*module.split("."))
                todo += [it for it in (base.with_suffix(".py"), base / "__init__.py") if it.is_file()]
            elif (top := module.split(".")[0]) not in sys.stdlib_module_names:
                outside.add(distributions()[top])
    return {EXTRAS.get(name, name) for name in outside} - (set() if folder in SEARCHING else TEXTS)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")))
def test_a_function_requires_the_packages_that_it_imports(folder: str) -> None:
    if folder in ZIPPED:
        given = requirements(PACKAGE / "requirements.in") | RUNTIME
    else:
        given = requirements(ROOT / "functions" / SHARING.get(folder, folder) / "requirements.in") - ENTRY_POINT
    assert needed(folder) <= given


def test_every_deployed_requirement_is_imported() -> None:
    for path in [*ROOT.glob("functions/*/requirements.in"), PACKAGE / "requirements.in"]:
        users = ZIPPED if path.parent == PACKAGE else {path.parent.name}
        users = users | {name for name, shared in SHARING.items() if shared in users}
        used = set().union(*(needed(user) for user in users))
        assert requirements(path) - ENTRY_POINT <= used, path


def test_deployed_versions_are_the_tested_versions() -> None:
    for path in [*ROOT.glob("functions/*/requirements.txt"), PACKAGE / "requirements.txt"]:
        deployed = pins(path)
        tested = pins(MODELS / "requirements.txt" if "autogluon" in path.parent.name else ROOT / "requirements/dev.txt")
        assert requirements(path.with_suffix(".in")) <= deployed.keys(), f"{path}: run make requirements"
        differing = {name for name, version in deployed.items() if tested.get(name, version) != version}
        assert not differing, f"{path}: run make requirements"
        assert path.read_text().count("--hash=sha256:") >= len(deployed)


def test_the_dockerfile_names_no_processor_architecture() -> None:
    assert not re.findall(r"(?i)x86|amd64|aarch64|arm64|--platform", (ROOT / "functions/Dockerfile").read_text())
