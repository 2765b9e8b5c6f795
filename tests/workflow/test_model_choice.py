"""Which model answers is a name: of the upload, of the request, of the stack. Another one needs no build or restart."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixlake.bundles.folders import read_folder
from pixlake.bundles.transfers import push_bundle
from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import ROOT, Engine
from tests.unit.inference import tiny
from tests.workflow.lakes import MODELS, image, make_lake, make_zip, rows

PETS = {"pets.csv": "id,Age\n01,3\n02,5\n", "01.png": image((255, 0, 0))}
# as `colors`, but that red looks green to it, and so on
SHIFTED = np.eye(3, dtype=np.float32)[:, [2, 0, 1]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("lake")
    lake = make_lake(folder)
    tiny.Lake(folder).classifier("shifted", tiny.image_graph(SHIFTED), [tiny.image_input()])
    return lake


@pytest.fixture(scope="module")
def engine(lake: Lake) -> Iterator[Engine]:
    """A stack that names `colors`."""
    with Engine(lake.uri, lake.catalog_uri, MODELS, ROOT) as engine:
        yield engine


def answer(engine: Engine, lake: Lake, upload: Path, experiment: str, **extra: object) -> dict[str, tuple[str, str]]:
    """The model, without its version, and the label of each record."""
    outcome = engine.execute(experiment, {"upload_uri": f"file://{upload}", "experiment_id": experiment, **extra})
    assert outcome.status == "SUCCEEDED", outcome.cause
    found = rows(lake, "predictions", experiment)
    return {row["record_id"]: (row["model"].partition("@")[0], row["label"]) for row in found}


def test_the_stacks_parameter_names_it(engine: Engine, lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    assert answer(engine, lake, upload, "by-stack") == {"01": ("colors", "red"), "02": ("ages", "red")}
    with Engine(lake.uri, lake.catalog_uri, {**MODELS, "ClassifierWithImage": "shifted"}, ROOT) as other:
        assert answer(other, lake, upload, "by-other-stack")["01"] == ("shifted", "green")


def test_the_upload_names_another(engine: Engine, lake: Lake, tmp_path: Path) -> None:
    chosen = json.dumps({"classifier": {"with_image": "shifted"}})
    upload = make_zip(tmp_path / "pets.zip", {**PETS, "pixlake.json": chosen})
    assert answer(engine, lake, upload, "by-upload") == {"01": ("shifted", "green"), "02": ("ages", "red")}


def test_the_request_names_another(engine: Engine, lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    options = {"classifier": {"with_image": "shifted"}}
    assert answer(engine, lake, upload, "by-request", options=options)["01"] == ("shifted", "green")


def test_a_newer_version_of_the_name_answers_from_then_on(engine: Engine, lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    assert answer(engine, lake, upload, "before")["01"] == ("colors", "red")
    tiny.Lake(tmp_path).classifier("colors", tiny.image_graph(SHIFTED), [tiny.image_input()])
    push_bundle(read_folder((tmp_path / "models" / "colors").as_uri()), lake.uri)
    assert answer(engine, lake, upload, "after")["01"] == ("colors", "green")
