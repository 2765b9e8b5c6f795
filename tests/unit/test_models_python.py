"""The order in which a Python with torch is looked for."""

import sys
from pathlib import Path

import pytest

import pixlake
from pixlake import models_python
from pixlake.errors import BadRequest
from pixlake.models_python import VARIABLE, find_models_python


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pixlake in a checkout where nothing is made yet, and no torch at hand."""
    monkeypatch.setattr(pixlake, "__path__", [str(tmp_path / "layers" / "pixlake" / "pixlake")])
    monkeypatch.setattr(models_python, "has_torch", lambda: False)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def make(python: Path) -> Path:
    python.parent.mkdir(parents=True)
    python.touch()
    return python


@pytest.mark.usefixtures("checkout")
def test_there_is_none() -> None:
    assert find_models_python() is None


def test_that_of_the_checkout(checkout: Path) -> None:
    made = make(checkout / ".venv-models" / "bin" / "python")
    assert find_models_python() == made


def test_this_one_where_it_has_torch(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(checkout / ".venv-models" / "bin" / "python")
    monkeypatch.setattr(models_python, "has_torch", lambda: True)
    assert find_models_python() == Path(sys.executable)


def test_the_one_that_is_named_before_all(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_python, "has_torch", lambda: True)
    monkeypatch.setenv(VARIABLE, str(checkout / "named"))
    with pytest.raises(BadRequest, match="where there is no Python"):
        find_models_python()
    (checkout / "named").touch()
    assert find_models_python() == checkout / "named"
