"""What `pip install` gives, in an environment of its own: the sample through it, with no checkout in reach."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

import pixlake

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
# Python reads it at its start, the command's as the workers': what opens a file of the checkout fails
FENCE = f"""
import sys
def fence(event, arguments):
    if event == "open" and str(arguments[0]).startswith({str(CHECKOUT) + os.sep!r}):
        raise RuntimeError(f"{{arguments[0]}} is in the checkout")
sys.addaudithook(fence)
"""
OLD_GRAMMAR = "antlr4-python3-runtime==4.9.3"


def call(*words: str | Path, cwd: Path) -> str:
    """What a program prints; nothing leads it to this Python or this Pixlake."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTHON", "PIXLAKE", "VIRTUAL_ENV"))}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `python -m build` does: from the sdist, which so holds all that it takes."""
    folder = tmp_path_factory.mktemp("dist")
    call(TOOLS / "hatchling", "build", "-t", "sdist", "-d", folder, cwd=CHECKOUT)
    (sdist,) = folder.glob("*.tar.gz")
    assert sdist.stat().st_size < 30e6
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    call(TOOLS / "hatchling", "build", "-t", "wheel", "-d", folder, cwd=folder / sdist.name.removesuffix(".tar.gz"))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `pixlake` of a new environment, its dependencies resolved anew, to the releases that were tested."""
    folder = tmp_path_factory.mktemp("environment")
    call(TOOLS / "uv", "venv", "-q", "--python", sys.executable, folder / "venv", cwd=folder)
    install(folder / "venv", wheel, "-c", CHECKOUT / "requirements/dev.txt")
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    (site / "fence.py").write_text(FENCE)
    (site / "fence.pth").write_text("import fence\n")
    return folder / "venv/bin/pixlake"


def install(environment: Path, *what: str | Path) -> None:
    call(TOOLS / "uv", "pip", "install", "-q", "--python", environment, *what, cwd=environment)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    return Path(shutil.copy(CHECKOUT / "samples/emoji.zip", tmp_path))


def run(pixlake: Path, upload: Path) -> dict[str, int]:
    counts: dict[str, int] = json.loads(
        call(pixlake, "run", upload.name, "--lake", "lake", "--json", cwd=upload.parent)
    )
    return {name: counts[name] for name in ("images", "records", "embedded", "predicted", "rejected")}


def test_the_sample_from_an_empty_folder(installed: Path, upload: Path) -> None:
    assert call(installed, "--version", cwd=upload.parent) == f"pixlake, version {pixlake.__version__}\n"
    assert run(installed, upload) == {
        "images": 644,
        "records": 608,
        "embedded": 642,
        "predicted": 608,
        "rejected": 8,
    }

    def ask(*arguments: str) -> Any:
        return json.loads(call(installed, *arguments, "--lake", "lake", cwd=upload.parent))

    assert ask("query", "SELECT count(*) AS n FROM predictions", "--format", "json") == [{"n": 608}]
    assert len(ask("search", "a red flower", "-n", "3", "--json")) == 3
    assert {row["name"]: row["rows"] for row in ask("tables", "--json")}["embeddings"] == 642
    assert ask("maintain", "--json")
    assert "zero-shot" in call(installed, "models", "--help", cwd=upload.parent)


def test_the_fence_holds(installed: Path, tmp_path: Path) -> None:
    code = f"open({str(CHECKOUT / 'README.md')!r})"
    with pytest.raises(AssertionError, match="is in the checkout"):
        call(installed.with_name("python"), "-c", code, cwd=tmp_path)


def test_it_holds_what_it_runs_and_nothing_that_builds(wheel: Path) -> None:
    assert wheel.name == f"pixlake-{pixlake.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in ("pixlake", "pixlake_cli", "pixlake_models")} <= set(names)
    functions = {name for name in names if "/stack/functions/" in name}
    expected = {f"pixlake_cli/stack/{path.relative_to(CHECKOUT)}" for path in CHECKOUT.glob("functions/*/app.py")}
    assert functions == expected


def test_what_needs_a_checkout_says_so(installed: Path, upload: Path) -> None:
    with pytest.raises(AssertionError, match="--containers needs a checkout of Pixlake"):
        call(installed, "run", upload.name, "--lake", "lake", "--containers", cwd=upload.parent)


def test_it_runs_beside_autogluon(installed: Path, upload: Path) -> None:
    """Whose omegaconf takes no other ANTLR than this one, which is older than moto's parsers."""
    install(installed.parents[1], OLD_GRAMMAR)
    images = upload.with_name("images")
    with zipfile.ZipFile(upload) as archive:
        for name in [name for name in archive.namelist() if name.endswith(".png")][:2]:
            archive.extract(name, images)
    assert run(installed, images)["embedded"] == 2
