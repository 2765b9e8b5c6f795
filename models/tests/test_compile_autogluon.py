"""A compiled AutoGluon model answers as AutoGluon, or it is refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

from demo import backbone
from pixlake.inference.bundles import load_classifier
from pixlake.inference.encoders import Example
from pixlake.inference.images import decode
from pixlake.inference.manifest import Input, NumericalInput
from pixlake.inference.preprocessing import tensor
from pixlake_models import compile_autogluon as compilation
from pixlake_models.autogluon_columns import image_column, read_inputs
from pixlake_models.compile_autogluon import AutoGluonSource, compile_autogluon
from pixlake_models.errors import NotEqual, NotServable

# those of AutoGluon, Lightning and what they import
pytestmark = pytest.mark.filterwarnings("ignore")
NUMBERS, CATEGORIES = ["weight", "age"], ["colour", "home"]
SETTINGS: dict[str, Any] = {
    "data.categorical.minimum_cat_count": 1,
    "env.num_gpus": 0,
    "env.accelerator": "cpu",
    "env.precision": "32",
    "env.num_workers": 0,
    "env.num_workers_inference": 0,
    "env.per_gpu_batch_size": 16,
    "env.batch_size": 16,
    "optim.max_epochs": 2,
    "optim.lr": 3e-3,
    "optim.top_k": 1,
    "optim.val_check_interval": 1.0,
}
TABULAR = ["categorical_mlp", "numerical_mlp", "fusion_mlp"]


def fit(rows: pandas.DataFrame, path: Path, problem: str, **settings: Any) -> MultiModalPredictor:
    """A model on the columns there are."""
    types = dict.fromkeys(NUMBERS, "numerical") | dict.fromkeys(CATEGORIES, "categorical") | {"image": "image_path"}
    predictor = MultiModalPredictor(label="label", problem_type=problem, path=str(path), verbosity=0)
    return predictor.fit(
        rows,
        hyperparameters=SETTINGS | settings,
        column_types={name: kind for name, kind in types.items() if name in rows},
        seed=0,
    )


@pytest.fixture(scope="module")
def with_images(rows: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> MultiModalPredictor:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    torch.save(timm.create_model(backbone.ARCHITECTURE).state_dict(), folder / "pytorch_model.bin")
    config = {"architecture": backbone.ARCHITECTURE, "num_features": backbone.FEATURES}
    (folder / "config.json").write_text(json.dumps(config | {"pretrained_cfg": backbone.PRETRAINED_CFG}))
    settings = {
        "model.names": ["timm_image", *TABULAR],
        "model.timm_image.checkpoint_name": str(folder),
        "model.timm_image.max_image_num_per_column": 2,
        "model.timm_image.train_transforms": ["resize_shorter_side", "center_crop"],
    }
    return fit(rows, folder / "trained", "multiclass", **settings)


@dataclass(frozen=True)
class Case:
    """A row as AutoGluon gets it and as Pixlake gets it."""

    name: str
    change: dict[str, object]
    attributes: dict[str, str | None]
    images: list[int]


CASES = [
    Case("as it is", {}, {}, [1]),
    Case("no image", {"image": "absent.png"}, {}, []),
    Case("two images", {"image": "{1};{2}"}, {}, [1, 2]),
    Case("one image of two", {"image": "{2};absent.png"}, {}, [2]),
    Case("no age", {"age": None}, {"age": ""}, [1]),
    Case("no colour", {"colour": None}, {"colour": None}, [1]),
    Case("an unseen colour", {"colour": "mauve"}, {"colour": "mauve"}, [1]),
    Case("leading zeros", {"home": "0123"}, {"home": "0123"}, [1]),
]


@pytest.fixture(scope="module")
def lake(with_images: MultiModalPredictor, rows: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("lake")
    compile_autogluon(AutoGluonSource(with_images, rows, {"origin": "a test"}), lake / "models" / "tiny", {})
    return lake


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_kind_of_row_is_answered_as_by_autogluon(
    case: Case, lake: Path, with_images: MultiModalPredictor, rows: pandas.DataFrame
) -> None:
    paths = rows["image"].tolist()
    change = {name: value.format(*paths) if name == "image" else value for name, value in case.change.items()}  # type: ignore[attr-defined]
    row = rows.drop(columns="label").iloc[[1]].assign(**change)
    expected = with_images.predict_proba(row, as_pandas=False)[0]
    classifier = load_classifier(f"file://{lake}", "tiny")
    assert classifier.image_input
    pictures = [decode(Path(paths[index]).read_bytes(), max_pixels=1 << 20).pixels for index in case.images]
    values = {name: str(rows[name][1]) for name in (*NUMBERS, *CATEGORIES)} | case.attributes
    tensors = [tensor(picture, classifier.image_input.preprocessing) for picture in pictures]
    (found,) = classifier.predict([Example(values, tensors)])
    assert found
    assert found.probabilities
    assert list(found.probabilities) == ["bird", "fish", "newt"]
    assert np.abs(np.array(list(found.probabilities.values())) - expected).max() < 1e-4


def test_what_was_proved_is_in_the_bundle(lake: Path, rows: pandas.DataFrame) -> None:
    metrics = json.loads((lake / "models" / "tiny" / "bundle.json").read_text())["metrics"]
    assert metrics["autogluon_difference"] < 1e-4
    assert metrics["autogluon_rows"] > len(rows)


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_other_problems_on_a_table_alone(problem: str, rows: pandas.DataFrame, target: Path, tmp_path: Path) -> None:
    """A regression with AutoGluon's transformer for tables, so that it is not the one network that compiles."""
    table = rows.drop(columns="image").assign(label=rows["weight"] * 3 if problem == "regression" else rows["age"] > 5)
    names = ["ft_transformer"] if problem == "regression" else TABULAR
    predictor = fit(table, tmp_path / "trained", problem, **{"model.names": names})
    compile_autogluon(AutoGluonSource(predictor, table, {}), target, {})
    example = Example({name: str(table[name][1]) for name in (*NUMBERS, *CATEGORIES)})
    (found,) = load_classifier(f"file://{tmp_path}", "tiny").predict([example])
    assert found
    if problem == "regression":
        assert found.value == pytest.approx(float(predictor.predict(table.iloc[[1]], as_pandas=False)), rel=1e-4)
    else:
        expected = predictor.predict_proba(table.iloc[[1]], as_pandas=False)[0]
        assert found.probabilities == pytest.approx({"False": expected[0], "True": expected[1]}, abs=1e-4)


def test_a_bundle_that_answers_otherwise_is_not_written(
    with_images: MultiModalPredictor, rows: pandas.DataFrame, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(learner: Any) -> Iterator[Input]:
        for each in read_inputs(learner):
            if isinstance(each, NumericalInput):
                first, *rest = each.columns
                each = NumericalInput(each.tensor, (type(first)(first.name, first.fill, first.mean + 5.0), *rest))
            yield each

    monkeypatch.setattr(compilation, "read_inputs", lambda learner: tuple(shifted(learner)))
    with pytest.raises(NotEqual, match="differ"):
        compile_autogluon(AutoGluonSource(with_images, rows, {}), target, {})
    assert not target.exists()


def test_columns_of_text_are_refused_with_the_reason() -> None:
    learner = SimpleNamespace(_data_processors={"text": [object()], "label": [object()]}, _df_preprocessor=None)
    with pytest.raises(NotServable, match="text"):
        read_inputs(learner)


def test_several_columns_of_images_are_refused() -> None:
    learner = SimpleNamespace(_df_preprocessor=SimpleNamespace(image_feature_names=["front", "back"]))
    with pytest.raises(NotServable, match="front"):
        image_column(learner)


def test_categories_that_are_no_text_are_refused() -> None:
    generator = SimpleNamespace(category_map={"size": pandas.Index([1.5, 2.5])})
    columns = SimpleNamespace(categorical_num_categories={"size": 3}, _feature_generators={"size": generator})
    processor = SimpleNamespace(categorical_key="mlp_categorical")
    learner = SimpleNamespace(_data_processors={"categorical": [processor]}, _df_preprocessor=columns)
    with pytest.raises(NotServable, match="float"):
        read_inputs(learner)
