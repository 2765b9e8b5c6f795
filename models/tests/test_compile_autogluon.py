"""A compiled AutoGluon model answers as AutoGluon, or it is refused."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas
import pytest
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

from demo import backbone
from models.tests import pets
from models.tests.convolved import count_convolved
from pixlake.bundles.folders import read_folder
from pixlake.bundles.manifest import CategoricalInput, Input, NumericalInput
from pixlake.errors import BadRequest, NotEqual, NotServable
from pixlake.images.decoding import decode
from pixlake.images.preprocessing import tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier
from pixlake_models.autogluon import compile as compilation
from pixlake_models.autogluon.columns import check_averaging, check_mixing, find_image_column, read_inputs
from pixlake_models.autogluon.compile import AutoGluonSource, compile_autogluon

# those of AutoGluon, Lightning and what they import
pytestmark = pytest.mark.filterwarnings("ignore")
NUMBERS, CATEGORIES = ["weight", "age"], ["colour", "home"]
SETTINGS = pets.SETTINGS | {"optim.max_epochs": 2, "optim.lr": 3e-3}


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
        "model.names": ["timm_image", *pets.TABULAR],
        "model.timm_image.checkpoint_name": str(folder),
        "model.timm_image.max_image_num_per_column": 2,
        "model.timm_image.train_transforms": ["resize_shorter_side", "center_crop"],
    }
    return fit(rows, folder / "trained", "multiclass", **settings)


@dataclass(frozen=True)
class Case:
    """A row as AutoGluon gets it and as Pixlake gets it."""

    name: str
    change: dict[str, str | None]
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
def lake_folder(
    with_images: MultiModalPredictor, rows: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    lake_folder = tmp_path_factory.mktemp("lake")
    compile_autogluon(AutoGluonSource(with_images, rows, {"origin": "a test"}), lake_folder / "models" / "tiny", {})
    return lake_folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_kind_of_row_is_answered_as_by_autogluon(
    case: Case, lake_folder: Path, with_images: MultiModalPredictor, rows: pandas.DataFrame
) -> None:
    paths = rows["image"].tolist()
    change = {name: value and value.format(*paths) for name, value in case.change.items()}
    row = rows.drop(columns="label").iloc[[1]].assign(**change)
    expected = with_images.predict_proba(row, as_pandas=False)[0]
    classifier = load_classifier(f"file://{lake_folder}", "tiny")
    assert classifier.image_input
    pictures = [decode(Path(paths[index]).read_bytes(), max_pixels=1 << 20).pixels for index in case.images]
    values = {name: str(rows[name][1]) for name in (*NUMBERS, *CATEGORIES)} | case.attributes
    tensors = [tensor(picture, classifier.image_input.preprocessing) for picture in pictures]
    (found,) = classifier.predict([Example(values, tensors)])
    assert found
    assert found.probabilities
    assert list(found.probabilities) == ["bird", "fish", "newt"]
    assert np.abs(np.array(list(found.probabilities.values())) - expected).max() < 1e-4


def test_the_proof_is_in_the_bundle(lake_folder: Path, rows: pandas.DataFrame) -> None:
    metrics = json.loads((lake_folder / "models" / "tiny" / "bundle.json").read_text())["metrics"]
    assert metrics["autogluon_difference"] < 1e-4
    assert metrics["autogluon_rows"] > len(rows)


def test_the_image_network_runs_on_present_images_alone(lake_folder: Path) -> None:
    folder, counts = lake_folder / "models" / "tiny", np.array([1, 0, 2, 0])
    taken = ort.InferenceSession(folder / "model.onnx").get_inputs()
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    feeds = {each.name: np.zeros((len(counts), *each.shape[1:]), types[each.type]) for each in taken}
    declared = load_classifier(f"file://{lake_folder}", "tiny").image_input
    assert declared
    assert declared.count_tensor
    assert count_convolved((folder / "model.onnx").read_bytes(), feeds | {declared.count_tensor: counts}) == 3


def test_a_regression_on_a_table_alone(rows: pandas.DataFrame, target: Path, tmp_path: Path) -> None:
    """With AutoGluon's transformer for tables, so that the other one is not the only one that compiles."""
    table = rows.drop(columns="image").assign(label=rows["weight"] * 3)
    predictor = fit(table, tmp_path / "trained", "regression", **{"model.names": ["ft_transformer"]})
    compile_autogluon(AutoGluonSource(predictor, table, {}), target, {})
    expected = predictor.predict(table, as_pandas=False)
    found = [each.value if each else None for each in load(tmp_path).predict(examples(table))]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)
    assert np.ptp(expected) > 1


def test_a_binary_model_and_its_positive_class(rows: pandas.DataFrame, target: Path, tmp_path: Path) -> None:
    """The class that is asked for as the positive one is first by name; numbers and truth values are categories."""
    table = rows.drop(columns="image").assign(label=np.where(rows["age"] > 5, "adopted", "waiting"))
    table = table.assign(home=rows.index % 3, colour=rows["colour"] == "red")
    settings = {"model.names": pets.TABULAR, "data.pos_label": "adopted"}
    predictor = fit(table, tmp_path / "trained", "binary", **settings)
    compile_autogluon(AutoGluonSource(predictor, table, {}), target, {})
    expected = predictor.predict_proba(table, as_pandas=True)
    assert list(expected.columns) == ["waiting", "adopted"]
    for spell in (str, spell_otherwise):
        answers = load(tmp_path).predict(examples(table, spell))
        for found, wanted in zip(answers, expected.to_dict("records"), strict=True):
            assert found
            assert found.probabilities == pytest.approx(wanted, abs=1e-4)
            assert found.label == max(wanted, key=lambda label: wanted[label])


def spell_otherwise(value: Any) -> str:
    """As another program writes a table: `true`, `2.0`."""
    return str(value).lower() if isinstance(value, bool) or not isinstance(value, int) else f"{value}.0"


def load(lake_folder: Path) -> Classifier:
    return load_classifier(lake_folder.as_uri(), "tiny")


def examples(table: pandas.DataFrame, spell: Callable[[Any], str] = str) -> list[Example]:
    """The rows as Pixlake has them: text, or null."""
    cells = table[[*NUMBERS, *CATEGORIES]].astype(object).to_dict("records")
    return [
        Example({name: None if pandas.isna(value) else spell(value) for name, value in row.items()}) for row in cells
    ]


def test_a_bundle_with_other_answers_is_not_written(
    with_images: MultiModalPredictor, rows: pandas.DataFrame, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(*arguments: Any) -> Iterator[Input]:
        for each in read_inputs(*arguments):
            if isinstance(each, NumericalInput):
                first, *rest = each.columns
                each = NumericalInput(each.tensor, (type(first)(first.name, first.fill, first.mean + 5.0), *rest))
            yield each

    monkeypatch.setattr(compilation, "read_inputs", lambda *arguments: tuple(shifted(*arguments)))
    with pytest.raises(NotEqual, match="differ"):
        compile_autogluon(AutoGluonSource(with_images, rows, {}), target, {})
    assert not target.exists()


@pytest.mark.parametrize("kind", ["document", "ner_text", "rois", "semantic_segmentation_img"])
def test_unsupported_kinds_of_columns_are_refused_with_the_reason(kind: str) -> None:
    learner = SimpleNamespace(_data_processors={kind: [object()], "label": [object()]}, _df_preprocessor=None)
    with pytest.raises(NotServable, match=kind):
        read_inputs(learner)


@pytest.mark.parametrize(("setting", "value"), [("mix_choice", "all_images"), ("use_learnable_image", True)])
def test_answers_that_depend_on_other_rows_are_refused(setting: str, value: object) -> None:
    network = SimpleNamespace(prefix="timm_image", mix_choice="all_logits", use_learnable_image=False)
    setattr(network, setting, value)
    with pytest.raises(NotServable, match="depends on other rows"):
        check_mixing(network)


@pytest.mark.parametrize(("images", "learnable"), [(2, False), (1, True)])
def test_answers_of_clip_for_several_images_are_refused(images: int, learnable: bool) -> None:
    network = SimpleNamespace(prefix="clip_image", use_learnable_image=learnable)
    with pytest.raises(NotServable, match="depends on other rows"):
        check_averaging(network, images)


def test_other_transforms_of_images_are_refused() -> None:
    processor = SimpleNamespace(val_transforms=["resize_shorter_side"], prefix="timm_image")
    learner = SimpleNamespace(
        _data_processors={"image": [processor]},
        _df_preprocessor=None,
        _model=SimpleNamespace(prefix="timm_image"),
    )
    with pytest.raises(NotServable, match="resize_to_square"):
        read_inputs(learner)


def test_several_columns_of_images_are_refused() -> None:
    learner = SimpleNamespace(_df_preprocessor=SimpleNamespace(image_feature_names=["front", "back"]))
    with pytest.raises(NotServable, match="front"):
        find_image_column(learner)


def categories(values: list[Any]) -> Any:
    """The part of a learner that has them."""
    generator = SimpleNamespace(category_map={"size": pandas.Index(values, dtype=object)})
    columns = SimpleNamespace(
        categorical_num_categories={"size": len(values) + 1}, _feature_generators={"size": generator}
    )
    processor = SimpleNamespace(categorical_key="mlp_categorical")
    model = SimpleNamespace(prefix="categorical_mlp")
    return SimpleNamespace(_data_processors={"categorical": [processor]}, _df_preprocessor=columns, _model=model)


@pytest.mark.parametrize(
    ("values", "compare"),
    [(["a", "1"], "text"), ([1, 2], "number"), ([1.5, 2.0], "number"), ([True, False], "boolean")],
)
def test_categories_are_compared_by_their_kind(values: list[Any], compare: str) -> None:
    (declared,) = read_inputs(categories(values))
    assert isinstance(declared, CategoricalInput)
    assert (declared.compare, declared.categories) == (compare, tuple(map(str, values)))
    assert (declared.unknown, declared.missing) == (2, 2)


def test_an_empty_category_is_that_of_missing_values() -> None:
    (declared,) = read_inputs(categories(["a", "", "b"]))
    assert isinstance(declared, CategoricalInput)
    assert (declared.missing, declared.unknown) == (1, 3)


@pytest.mark.parametrize("values", [[1, "a"], [True, 2], [pandas.Timestamp(0)]])
def test_categories_of_several_kinds_are_refused(values: list[Any]) -> None:
    with pytest.raises(NotServable, match="'size' are"):
        read_inputs(categories(values))


def test_a_model_trained_on_shown_pixels_reads_shown_pixels(
    with_images: MultiModalPredictor, rows: pandas.DataFrame, target: Path
) -> None:
    compile_autogluon(AutoGluonSource(with_images, rows, {}, pixels="shown"), target, {})
    manifest = read_folder(target.as_uri()).manifest
    assert manifest.image_input
    assert manifest.image_input.preprocessing.pixels == "shown"
    kinds = {name.removeprefix("image: ") for name in manifest.metrics["autogluon"] if name.startswith("image: ")}
    assert {"PNG", "JPEG"} <= kinds
    assert not kinds & {"transparent", "turned by EXIF", "16-bit grey"}


def test_rows_without_a_column_that_the_model_reads_are_refused(
    with_images: MultiModalPredictor, rows: pandas.DataFrame, target: Path
) -> None:
    with pytest.raises(BadRequest, match="home"):
        compile_autogluon(AutoGluonSource(with_images, rows.drop(columns="home"), {}), target, {})
    assert not target.exists()
