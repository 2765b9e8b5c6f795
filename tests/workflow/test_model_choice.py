"""Which model answers is a name: of the upload, of the request, of the stack. Another one needs no build or restart."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixlake.bundles.folders import read_folder
from pixlake.bundles.transfers import push_bundle
from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from tests.builders import tiny
from tests.builders.model_lakes import MODELS, image, make_zip, rows
from tests.project import ROOT

PETS: dict[str, bytes | str] = {"pets.csv": "id,Age\n01,3\n02,5\n", "01.png": image((255, 0, 0))}
# as `colors`, but that red looks green to it, and so on
SHIFTED = np.eye(3, dtype=np.float32)[:, [2, 0, 1]]


@pytest.fixture(scope="module")
def engine(model_lake: Lake) -> Iterator[Engine]:
    """A stack that names `colors`, over a lake that has `shifted`, too."""
    assert model_lake.folder
    tiny.BundleLake(model_lake.folder).classifier("shifted", tiny.image_graph(SHIFTED), [tiny.image_input()])
    with Engine(model_lake.uri, model_lake.catalog_uri, MODELS, ROOT) as engine:
        yield engine


def answer(
    engine: Engine, model_lake: Lake, upload: Path, experiment: str, **extra: object
) -> dict[str, tuple[str, str]]:
    """The model, without its version, and the label of each record."""
    outcome = engine.execute(experiment, {"upload_uri": f"file://{upload}", "experiment_id": experiment, **extra})
    assert outcome.status == "SUCCEEDED", outcome.cause
    found = rows(model_lake, "predictions", experiment)
    return {row["record_id"]: (row["model"].partition("@")[0], row["label"]) for row in found}


def test_the_stacks_parameter_chooses_the_model(engine: Engine, model_lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    assert answer(engine, model_lake, upload, "by-stack") == {"01": ("colors", "red"), "02": ("ages", "red")}
    with Engine(model_lake.uri, model_lake.catalog_uri, {**MODELS, "ClassifierWithImage": "shifted"}, ROOT) as other:
        assert answer(other, model_lake, upload, "by-other-stack")["01"] == ("shifted", "green")


def test_the_uploads_option_wins_over_the_stack(engine: Engine, model_lake: Lake, tmp_path: Path) -> None:
    chosen = json.dumps({"classifier": {"with_image": "shifted"}})
    upload = make_zip(tmp_path / "pets.zip", {**PETS, "pixlake.json": chosen})
    assert answer(engine, model_lake, upload, "by-upload") == {"01": ("shifted", "green"), "02": ("ages", "red")}


def test_the_requests_option_wins_over_the_stack(engine: Engine, model_lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    options = {"classifier": {"with_image": "shifted"}}
    assert answer(engine, model_lake, upload, "by-request", options=options)["01"] == ("shifted", "green")


def test_a_newly_pushed_version_is_used_at_once(engine: Engine, model_lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    assert answer(engine, model_lake, upload, "before")["01"] == ("colors", "red")
    tiny.BundleLake(tmp_path).classifier("colors", tiny.image_graph(SHIFTED), [tiny.image_input()])
    push_bundle(read_folder((tmp_path / "models" / "colors").as_uri()), model_lake.uri)
    assert answer(engine, model_lake, upload, "after")["01"] == ("colors", "green")
