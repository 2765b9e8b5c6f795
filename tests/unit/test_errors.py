"""Errors are one tree, which the docstring of `pixlake.errors` draws."""

import ast
import builtins
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pixlake import errors
from tests.project import ROOT

CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
PACKAGES = ("layers/pixlake/pixlake", "cli/pixlake_cli", "models/pixlake_models")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def drawn_parents() -> Iterator[tuple[str, str]]:
    """Each class that the docstring draws, with the one above it."""
    above: list[str] = []
    for branches, name in re.findall(r"^([│├└─ ]*)([A-Z]\w+)(?=$| {2})", errors.__doc__ or "", re.MULTILINE):
        depth = len(branches) // 4
        above[depth:] = [name]
        if depth:
            yield name, above[depth - 1]


@cache
def written_classes(path: Path) -> dict[str, list[str]]:
    """The classes of a module with the names of their bases: read, not imported, since some need torch."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found[node.name] = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    return found


BASES = {name: bases for path in MODULES for name, bases in written_classes(path).items()}


def ancestors(name: str) -> set[str]:
    """All classes above one of ours, as far as they are ours, and the first that is not."""
    above = set(BASES.get(name, []))
    return above.union(*map(ancestors, above))


def is_exception(name: str) -> bool:
    """By Python's own classes, or by the name of a library's; a `ClickException` only shows an error of the tree."""
    kind = getattr(builtins, name, None)
    if inspect.isclass(kind):
        return issubclass(kind, BaseException)
    return name not in BASES and name != "ClickException" and name.endswith(("Exception", "Error"))


def test_the_docstring_draws_the_tree_of_the_classes() -> None:
    parents = {name: kind.__bases__[0].__name__ for name, kind in CLASSES.items() if kind is not errors.PixlakeError}
    assert dict(drawn_parents()) == parents


def test_an_error_is_either_bad_input_or_transient() -> None:
    for kind in CLASSES.values():
        if kind is not errors.PixlakeError:
            assert issubclass(kind, errors.BadInput) != issubclass(kind, errors.TransientError)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_exception_of_ours_is_below_one_of_the_tree(path: Path) -> None:
    written = {name: ancestors(name) for name in written_classes(path)}
    elsewhere = {
        name: above for name, above in written.items() if name not in CLASSES and any(map(is_exception, above))
    }
    elsewhere = {name: above for name, above in elsewhere.items() if above != {"BaseException"}}  # a signal, no error
    assert [name for name, above in elsewhere.items() if not above & {"BadInput", "TransientError"}] == []


def test_a_refused_upload_carries_its_reason() -> None:
    error = errors.BadUpload("path_traversal", "a.zip: '../x'")
    assert (error.reason, str(error)) == ("path_traversal", "path_traversal: a.zip: '../x'")
