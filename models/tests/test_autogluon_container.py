"""A packaged predictor answers as AutoGluon does, in its function's handler and through `pixlake run`."""

import importlib.util
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

from pixlake.bundles.folders import read_folder
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import BadBundle, NotEqual, NotServable
from pixlake.inference.autogluon import settle
from pixlake.inference.loaded import load_classifier
from pixlake.lake import Work
from pixlake.messages import Batch, BatchRequest, Run
from pixlake.rejects import decode
from pixlake.schemas import CLASSIFY_BATCH
from pixlake_models.packaging.description import describe_predictor
from pixlake_models.packaging.package import Packaged, load_trained, package_predictor

# those of AutoGluon, Lightning and what they import
pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["weight", "age", "colour", "home", "legs", "tame"]
TYPES = {
    "weight": "numerical",
    "age": "numerical",
    "colour": "categorical",
    "home": "categorical",
    "legs": "categorical",
    "tame": "categorical",
    "image": "image_path",
}
SETTINGS: dict[str, Any] = {
    "model.names": ["categorical_mlp", "numerical_mlp", "fusion_mlp"],
    "data.categorical.minimum_cat_count": 1,
    "env.num_gpus": 0,
    "env.per_gpu_batch_size": 16,
    "env.batch_size": 16,
    "env.num_workers": 0,
    "env.num_workers_inference": 0,
    "optim.max_epochs": 2,
    "optim.lr": 3e-3,
    "optim.top_k": 1,
}
RUN = Run("run", "pets", "file:///a.zip", "0" * 16, "2026-11-21T00:00:00.000000+00:00", "2026-11-21T00:00:00+00:00")
CLOSE = 1e-6
ARCHITECTURE = "lcnet_035"


@dataclass(frozen=True)
class Trained:
    """A predictor, the table it was trained on, and the bundle that was made of it, in a lake."""

    predictor: MultiModalPredictor
    rows: pandas.DataFrame
    lake: Path
    name: str
    packaged: Packaged

    @property
    def model(self) -> str:
        return f"{self.name}@{self.packaged.version}"

    @property
    def bundle(self) -> Path:
        return self.lake / "models" / self.name

    def expect(self, change: Mapping[str, Any] | None = None, count: int = 8) -> Any:
        """AutoGluon's own answers for the first rows, each with what `change` says."""
        return self.predictor.predict_proba(self.rows.head(count).assign(**(change or {})), as_pandas=False)


def fit(rows: pandas.DataFrame, path: Path, problem: str, **settings: Any) -> MultiModalPredictor:
    predictor = MultiModalPredictor(label="label", problem_type=problem, path=str(path), verbosity=0)
    types = {name: kind for name, kind in TYPES.items() if name in rows}
    predictor.fit(rows, hyperparameters=SETTINGS | settings, column_types=types, seed=0)
    settle(predictor)
    return predictor


def package(predictor: MultiModalPredictor, rows: pandas.DataFrame, lake: Path, name: str) -> Trained:
    return Trained(predictor, rows, lake, name, package_predictor(predictor, rows, lake / "models" / name))


@pytest.fixture(scope="module")
def table(rows: pandas.DataFrame) -> pandas.DataFrame:
    """The rows with categories that are numbers, with gaps, and truth values."""
    random = np.random.default_rng(1)
    frame = rows.assign(legs=random.choice([0.0, 2.0, 4.0], len(rows)), tame=random.choice([True, False], len(rows)))
    frame.loc[::7, "legs"] = None
    return frame


@pytest.fixture(scope="module")
def illustrated(table: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    backbone = timm.create_model(ARCHITECTURE, num_classes=0)
    torch.save(backbone.state_dict(), folder / "pytorch_model.bin")
    size = {"input_size": [3, 32, 32], "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.6, 0.7]}
    config = {"architecture": ARCHITECTURE, "num_features": backbone.num_features, "pretrained_cfg": size}
    (folder / "config.json").write_text(json.dumps(config))
    settings = {
        "model.names": ["timm_image", *SETTINGS["model.names"]],
        "model.timm_image.checkpoint_name": str(folder),
        "model.timm_image.image_size": 32,
        "model.timm_image.max_image_num_per_column": 2,
    }
    predictor = fit(table, folder / "trained", "multiclass", **settings)
    trained = package(predictor, table, tmp_path_factory.mktemp("lake"), "pictures")
    for name in ("config.json", "pytorch_model.bin"):  # another machine would not have them either
        (folder / name).unlink()
    return trained


@pytest.fixture(scope="module")
def plain(table: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of the table alone; its labels are truth values."""
    rows = table.drop(columns="image").assign(label=table["weight"] > table["weight"].median())
    predictor = fit(rows, tmp_path_factory.mktemp("model") / "trained", "binary")
    return package(predictor, rows, tmp_path_factory.mktemp("lake"), "table")


def cells(row: Mapping[Any, Any]) -> list[tuple[str, str | None]]:
    """A record's attributes as Split writes them: text or null, and of columns that the model never saw too."""
    known = {name: None if pandas.isna(row[name]) else str(row[name]) for name in COLUMNS}
    return [*known.items(), ("note", "ünseen")]


def records(rows: pandas.DataFrame, images: Sequence[Sequence[str]] = ()) -> list[dict[str, Any]]:
    """Rows of a batch, each with the image files that `images` has for it."""
    return [
        {
            "record_id": f"r{index}",
            "image_paths": [Path(path).name for path in paths],
            "image_uris": [f"file://{path}" for path in paths],
            "attributes": cells(row),
        }
        for index, (row, paths) in enumerate(
            zip(rows.to_dict("records"), images or [[]] * len(rows), strict=True),
        )
    ]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., pandas.DataFrame]:
    """The function's own handler on one batch; the part that it wrote, by record."""

    def run(trained: Trained, rows: list[dict[str, Any]], modality: str = "tabular") -> pandas.DataFrame:
        monkeypatch.setenv("LAKE_URI", trained.lake.as_uri())
        work = Work(trained.lake.as_uri(), RUN.execution_id)
        batch = Batch("classify-000000", "classify_autogluon", modality, trained.model, len(rows), 0)
        path = Path(work.batch(batch.batch_id).removeprefix("file://"))
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=CLASSIFY_BATCH), path)
        context = SimpleNamespace(
            get_remaining_time_in_millis=lambda: 900_000,
            function_name="f",
            memory_limit_in_mb=10240,
            invoked_function_arn="arn",
            aws_request_id="1",
        )
        answer = load_app().handler(msgspec.to_builtins(BatchRequest(RUN, batch)), context)
        part = pq.read_table(work.part("predictions", batch.batch_id).removeprefix("file://")).to_pandas()
        assert answer["rows"] == len(part)
        return part

    return run


def load_app() -> Any:
    spec = importlib.util.spec_from_file_location("app", ROOT / "functions/classify_autogluon/app.py")
    assert spec
    assert spec.loader
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app


def probabilities(part: pandas.DataFrame) -> Any:
    return np.array([list(dict(each).values()) for each in part["probabilities"]])


def rejects(trained: Trained) -> Iterator[tuple[str, str]]:
    uri = Work(trained.lake.as_uri(), RUN.execution_id).rejects("classify_autogluon", "classify-000000")
    for each in decode(Path(uri.removeprefix("file://")).read_bytes()):
        yield each.source, each.reason


def test_records_are_answered_as_by_autogluon(plain: Trained, invoke: Callable[..., pandas.DataFrame]) -> None:
    part = invoke(plain, records(plain.rows.head(8)))
    assert np.abs(probabilities(part) - plain.expect()).max() < CLOSE
    assert part["record_id"].tolist() == [f"r{index}" for index in range(8)]
    assert set(part["label"]) <= {"False", "True"}
    assert list(dict(part["probabilities"][0])) == ["False", "True"]
    assert set(part["model"]) == {plain.model}


MISSING: dict[str, dict[str, Any]] = {
    "no age": {"age": None},
    "no legs": {"legs": None},
    "no colour, no home": {"colour": None, "home": None},
    "not tame, nor wild": {"tame": None},
    "an unseen colour": {"colour": "mauve"},
    "nothing": dict.fromkeys(COLUMNS),
}


@pytest.mark.parametrize("change", MISSING.values(), ids=list(MISSING))
def test_missing_and_unknown_values_are_answered_as_by_autogluon(
    plain: Trained, invoke: Callable[..., pandas.DataFrame], change: dict[str, Any]
) -> None:
    part = invoke(plain, records(plain.rows.head(8).assign(**change)))
    numbers: dict[str, Any] = {name: float("nan") for name in ("weight", "age") if name in change}
    assert np.abs(probabilities(part) - plain.expect({**change, **numbers})).max() < CLOSE


def test_columns_that_the_record_lacks_are_missing(plain: Trained, invoke: Callable[..., pandas.DataFrame]) -> None:
    few = [{**row, "attributes": [("weight", "51.5")]} for row in records(plain.rows.head(2))]
    expected = plain.expect({**dict.fromkeys(COLUMNS), "age": float("nan"), "weight": 51.5}, 2)
    assert np.abs(probabilities(invoke(plain, few)) - expected).max() < CLOSE


def test_images_are_those_that_autogluon_reads(illustrated: Trained, invoke: Callable[..., pandas.DataFrame]) -> None:
    """One image, two, more than it takes, none."""
    paths = illustrated.rows["image"].tolist()
    images = [paths[:1], paths[1:3], paths[2:6], []]
    taken = [";".join(each[:2]) or None for each in images]
    part = invoke(illustrated, records(illustrated.rows.head(4), images), "image+tabular")
    assert np.abs(probabilities(part) - illustrated.expect({"image": taken}, 4)).max() < CLOSE


def test_broken_images_are_rejected_and_never_read(
    illustrated: Trained, invoke: Callable[..., pandas.DataFrame], tmp_path: Path
) -> None:
    """AutoGluon would fill up the truncated one with grey; here the second image stands in for it."""
    paths = illustrated.rows["image"].tolist()
    cut, text = tmp_path / "cut.png", tmp_path / "text.png"
    cut.write_bytes(Path(paths[0]).read_bytes()[:-200])
    text.write_text("no picture")
    images = [[str(cut), paths[1]], [str(text)]]
    part = invoke(illustrated, records(illustrated.rows.head(2), images), "image+tabular")
    assert np.abs(probabilities(part) - illustrated.expect({"image": [paths[1], None]}, 2)).max() < CLOSE
    assert list(rejects(illustrated)) == [("cut.png", "truncated"), ("text.png", "not_an_image")]


def test_values_of_a_regression_are_autogluons(
    table: pandas.DataFrame, tmp_path: Path, invoke: Callable[..., pandas.DataFrame]
) -> None:
    rows = table.drop(columns="image").assign(label=table["weight"] * 3)
    trained = package(fit(rows, tmp_path / "trained", "regression"), rows, tmp_path / "lake", "value")
    part = invoke(trained, records(rows.head(8)))
    expected = trained.predictor.predict(rows.head(8), as_pandas=False)
    assert part["value"].to_numpy() == pytest.approx(expected, rel=CLOSE)
    assert part["label"].isna().all()


def test_a_predictor_is_refused_where_a_graph_is_needed(plain: Trained) -> None:
    with pytest.raises(BadBundle, match="AutoGluon container"):
        load_classifier(plain.lake.as_uri(), "table")


def test_the_manifest_describes_the_training_columns(illustrated: Trained) -> None:
    described = read_folder(illustrated.bundle.as_uri()).description
    assert isinstance(described, PredictorManifest)
    assert described.images
    types = {column.name: column.type for column in described.columns}
    numbers = dict.fromkeys(("weight", "age", "legs"), "number")
    assert types == numbers | {"colour": "text", "home": "text", "tame": "boolean"}
    assert described.images.max_images == 2
    assert described.labels == ("bird", "fish", "newt")
    assert described.metrics["autogluon_difference"] < CLOSE
    assert described.metrics["autogluon_rows"] > len(illustrated.rows)


def test_packaging_twice_gives_the_same_version(plain: Trained, tmp_path: Path) -> None:
    trained = load_trained(Path(plain.predictor.path))
    assert package_predictor(trained, plain.rows, tmp_path / "table").version == plain.packaged.version


def test_a_package_with_other_answers_is_not_written(
    plain: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misread(predictor: MultiModalPredictor, name: str) -> Any:
        described = describe_predictor(predictor, name)
        categories = {"legs": "text", "tame": "text"}
        columns = [
            msgspec.structs.replace(each, type=categories.get(each.name, each.type)) for each in described.columns
        ]
        return msgspec.structs.replace(described, columns=tuple(columns))

    monkeypatch.setattr("pixlake_models.packaging.package.describe_predictor", misread)
    with pytest.raises(NotEqual, match="differ"):
        package_predictor(plain.predictor, plain.rows, tmp_path / "tiny")
    assert not list(tmp_path.iterdir())


def test_answers_that_the_tables_cannot_hold_are_refused(plain: Trained) -> None:
    stranger = SimpleNamespace(_learner=plain.predictor._learner, problem_type="ner")
    with pytest.raises(NotServable, match="ner"):
        describe_predictor(stranger, "tiny")


def test_a_run_predicts_with_packaged_models(illustrated: Trained, plain: Trained, tmp_path: Path) -> None:
    """Two models, pushed as anybody would: records with images to the one, without to the other."""
    lake, few = tmp_path / "lake", illustrated.rows.head(12)
    for trained in (illustrated, plain):
        pixlake("models", "push", str(trained.bundle), "--lake", str(lake))
    options = {"id_column": "id", "classifier": {"with_image": "pictures", "without_image": "table"}}
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as upload:
        upload.writestr("pixlake.json", json.dumps(options))
        upload.writestr("pets.csv", few[COLUMNS].assign(id=[f"r{n}" for n in range(12)]).to_csv(index=False))
        for index, path in enumerate(few["image"].head(8)):
            upload.write(path, f"r{index}.png")
    pixlake("run", str(tmp_path / "pets.zip"), "--lake", str(lake))
    query = "SELECT record_id, probabilities, modality FROM predictions"
    found = {
        row["record_id"]: row for row in json.loads(pixlake("query", query, "--lake", str(lake), "--format", "json"))
    }
    expected = {f"r{n}": row for n, row in enumerate(illustrated.expect(count=8))}
    expected |= {f"r{n}": row for n, row in enumerate(plain.expect(count=12)) if n >= 8}
    assert found.keys() == expected.keys()
    for name, row in found.items():
        assert row["modality"] == ("image+tabular" if len(expected[name]) == 3 else "tabular")
        values = row["probabilities"]
        numbers = list(values.values()) if isinstance(values, dict) else [value for _, value in values]
        assert np.abs(np.array(numbers) - expected[name]).max() < CLOSE


def pixlake(*arguments: str) -> str:
    done = subprocess.run([ROOT / ".venv/bin/pixlake", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
