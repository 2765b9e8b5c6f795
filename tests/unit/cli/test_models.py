import json
from pathlib import Path

import pytest

from tests.unit.inference import tiny


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder outside of any lake."""
    tiny.Lake(tmp_path / "elsewhere").embedder("tiny")
    return tmp_path / "elsewhere" / "models" / "tiny"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_pushed_model_is_listed_and_shown(run, tmp_path: Path, bundle: Path) -> None:
    lake = tmp_path / "my lake"
    pushed = run("models", "push", bundle, "--lake", lake)
    assert pushed.exit_code == 0
    model = pushed.stdout.split()[0]
    assert model.startswith("tiny@")
    listed = run("models", "list", "--lake", lake)
    assert listed.stdout == f"{model}  embedder  vectors of 4, of images and texts\n"
    assert json.loads(run("models", "list", "--lake", lake, "--json").stdout)[0]["model"] == model
    shown = json.loads(run("models", "show", "tiny", "--lake", lake).stdout)
    assert (shown["model"], shown["dimensions"]) == (model, 4)


def test_a_push_takes_the_place_of_the_older_whole(run, tmp_path: Path, bundle: Path) -> None:
    lake = tmp_path / "lake"
    run("models", "push", bundle, "--lake", lake)
    files = {"image.onnx": tiny.image_graph(tiny.WEIGHTS + 1)}
    tiny.Lake(tmp_path / "newer").embedder("tiny", files=files, text=None)
    newer = tmp_path / "newer" / "models" / "tiny"
    assert run("models", "push", newer, "--lake", lake).exit_code == 0
    assert names(lake / "models" / "tiny") == {"bundle.json", "image.onnx"}
    assert run("models", "show", "tiny", "--lake", lake).exit_code == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "image.onnx").write_bytes(b"other"), "SHA-256"),
        (lambda folder: (folder / "text.onnx").unlink(), "files are missing"),
        (lambda folder: (folder / "extra.txt").write_text("x"), "does not list"),
        (lambda folder: (folder / "bundle.json").unlink(), "there is no bundle here"),
        (lambda folder: (folder / "bundle.json").write_text("{}"), "docs/bundles.md"),
    ],
)
def test_a_damaged_bundle_is_not_pushed(run, tmp_path: Path, bundle: Path, damage, message: str) -> None:
    damage(bundle)
    result = run("models", "push", bundle, "--lake", tmp_path / "lake")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "lake").exists()


def test_a_lake_without_models_says_how_to_get_some(run, tmp_path: Path) -> None:
    result = run("models", "list", "--lake", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "models push" in result.stderr
    assert run("models", "show", "none", "--lake", tmp_path).exit_code == 1
