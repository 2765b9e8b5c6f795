"""What `pip install` brings is what the installed packages import, from releases that are proved to do."""

import re
import tomllib
from importlib.metadata import packages_distributions
from sys import stdlib_module_names

import pytest

from tests.project import ROOT
from tests.template.test_requirements import imported, pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {
    "pixlake": "layers/pixlake/pixlake",
    "pixlake_cli": "cli/pixlake_cli",
    "pixlake_models": "models/pixlake_models",
}
# What this environment lacks by the name of its module: it comes with the extra `models`.
HEAVY = {
    "autogluon": "autogluon-multimodal",
    "omegaconf": "omegaconf",
    "open_clip": "open-clip-torch",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "timm": "timm",
    "torch": "torch",
}
# What comes with a declared package, or with an extra of one.
BROUGHT = {"botocore": "boto3", "sqlalchemy": "pyiceberg"}
# What a worker process starts by its name.
STARTED = {"awslambdaric", "python-multipart"}  # the second by Starlette, for forms


def normalize(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def bounds(requirements: list[str]) -> dict[str, str]:
    """Each package's lower bound; every requirement has one, and no other."""
    parsed = [re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\d.]+)", each) for each in requirements]
    return {normalize(match[1]): match[2] for match in parsed if match}


BASE = bounds(PROJECT["dependencies"])
MODELS = bounds(PROJECT["optional-dependencies"]["models"])


def used(folder: str) -> set[str]:
    """The distributions that the modules of a package import."""
    modules = {module.split(".")[0] for path in (ROOT / folder).rglob("*.py") for module in imported(path)}
    installed = {module: normalize(names[0]) for module, names in packages_distributions().items()} | HEAVY
    outside = {installed[module] for module in modules - OURS.keys() - stdlib_module_names}
    return {BROUGHT.get(name, name) for name in outside}


def test_each_package_is_declared_once_with_a_lower_bound() -> None:
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["models"]]
    assert len(BASE) + len(MODELS) == len(declared)
    assert not BASE.keys() & MODELS.keys()


def test_declared_packages_are_the_imported_ones() -> None:
    assert (used(OURS["pixlake"]) | used(OURS["pixlake_cli"])) - set(HEAVY.values()) <= BASE.keys()
    everything = set().union(*map(used, OURS.values())) | STARTED
    assert everything == BASE.keys() | MODELS.keys()
    assert MODELS.keys() - {"regex"} == set(HEAVY.values())


@pytest.mark.parametrize("lock", ["requirements/dev.txt", "models/requirements.txt"])
def test_no_bound_is_above_the_tested_version(lock: str) -> None:
    def parse(version: str) -> list[int]:
        return [int(part) for part in version.split(".")]

    tested = {normalize(name): version for name, version in pins(ROOT / lock).items()}
    expected = MODELS.keys() if lock.startswith("models") else BASE.keys()
    assert expected <= tested.keys(), "run make requirements"
    declared = BASE | MODELS
    assert [name for name, bound in declared.items() if name in tested and parse(tested[name]) < parse(bound)] == []


def test_dev_in_repeats_no_declared_package() -> None:
    lines = (ROOT / "requirements/dev.in").read_text().splitlines()
    added = {normalize(line) for line in lines if re.fullmatch(r"[\w.-]+", line)}
    assert not added & BASE.keys()
