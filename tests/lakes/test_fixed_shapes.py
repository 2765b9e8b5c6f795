"""`pixlake check --fix` on uploads as people make them, some of their images and a row broken."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.builders.commands import run
from tests.builders.model_lakes import image, make_zip
from tests.builders.shapes import SHAPES, Shape

_COUNTS = ("records", "with_image", "id_column")
_KEYED_BY_IMAGES = "a file and its kind, no kind twice"


def broken(shape: Shape, path: Path) -> Path:
    """The shape's upload with one image in seven that is none, and a row that is too wide."""
    text, images = shape.upload()
    members: dict[str, bytes | str] = {"table.csv": f"{text}x{',' * 40}\n"} if text else {}
    members |= {name: b"no image" if place % 7 == 3 else image() for place, name in enumerate(images)}
    if shape.options:
        members["pixlake.json"] = msgspec.json.encode(shape.options)
    return make_zip(path, members)


@pytest.mark.parametrize(
    "shape", [shape for shape in SHAPES if not shape.refused and not shape.earlier], ids=lambda shape: shape.name
)
def test_it_is_clean_and_joins_as_before(tmp_path: Path, shape: Shape) -> None:
    upload, out = broken(shape, tmp_path / "dirty.zip"), tmp_path / "clean.zip"
    result = run("check", upload, "--fix", out, "--json")
    assert result.exit_code == 1
    before = json.loads(result.stdout)
    again = run("check", out, "--json")
    after = json.loads(again.stdout)
    assert (again.exit_code, after["rejects"]) == (0, [])
    lost = len(before["fixed"]["imageless"])
    assert [after[name] for name in _COUNTS] == [before["records"] - lost, before["with_image"], before["id_column"]]
    assert bool(lost) == (shape.name == _KEYED_BY_IMAGES)
