"""`pixlake models train`: a table with images becomes two models, measured on rows that they never saw."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import timm
import torch
from click.testing import CliRunner, Result
from PIL import Image

from demo import backbone
from models.tests.pets import save_text_network
from pixlake.bundles.folders import read_folder
from pixlake.bundles.manifest import TextInput
from pixlake.errors import BadRequest, BadTable
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier
from pixlake.inference.trials import try_bundle
from pixlake.messages import Options
from pixlake_cli.modelcards import write_card
from pixlake_models.commands.train import train
from pixlake_models.training.backbones import prepare_backbone
from pixlake_models.training.columns import Wishes, choose_columns
from pixlake_models.training.material import Request, gather
from pixlake_models.training.parts import divide, find_problem
from pixlake_models.training.pictures import Original, prepare_pictures

SIDE = 32


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(train, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def write_upload(rows: pandas.DataFrame, folder: Path) -> Path:
    """The rows as a table beside its images, whose paths are relative to it, and one image of each awkward kind."""
    (folder / "pictures").mkdir(parents=True)
    for path in rows["image"]:
        (folder / "pictures" / Path(path).name).write_bytes(Path(path).read_bytes())
    first, second = (folder / "pictures" / f"0{number}.png" for number in (0, 1))
    with Image.open(first) as picture:
        transparent = picture.convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    transparent.save(first)
    second.write_bytes(b"no picture")
    table = rows.assign(image=[f"pictures/{Path(each).name}" for each in rows["image"]], notes="all the same")
    table.insert(0, "animal_id", [f"animal {number}" for number in range(len(rows))])
    table.to_csv(folder / "animals.csv", index=False)
    return folder / "animals.csv"


@pytest.fixture(scope="module")
def upload(rows: pandas.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_upload(rows, tmp_path_factory.mktemp("upload"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as timm's `save_for_hf` leaves it, with the classifier's last layer."""
    folder = tmp_path_factory.mktemp("network")
    torch.manual_seed(0)
    model = timm.create_model(backbone.ARCHITECTURE, num_classes=7)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    config = {"architecture": backbone.ARCHITECTURE, "num_features": backbone.FEATURES}
    (folder / "config.json").write_text(json.dumps(config | {"pretrained_cfg": backbone.PRETRAINED_CFG}))
    return folder


@pytest.fixture(scope="module")
def trained(upload: Path, network: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The lake's folder of models, and what the command said."""
    folder = tmp_path_factory.mktemp("lake") / "models"
    options = ("--backbone", f"{network}/", "--image-size", SIDE, "--epochs", 2, "--label", "label")
    return folder, run(upload, *options, "--output", folder / "animals")


def test_both_models_are_servable_and_their_cards_have_their_metrics(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    for name in ("animals", "animals-table"):
        bundle = read_folder(f"file://{folder / name}")
        try_bundle(bundle)
        metrics = bundle.manifest.metrics
        assert metrics["training"]["rows"] > 30
        assert metrics["heldout"]["rows"] >= 11
        assert metrics["autogluon_difference"] < 1e-4
        card = write_card(bundle)
        assert f"heldout, balanced accuracy: {metrics['heldout']['balanced_accuracy']}" in card
        assert "heldout majority class, accuracy" in card
        assert "label: label" in card


def test_metrics_are_those_of_the_answers_on_held_out_rows(trained: tuple[Path, Result], upload: Path) -> None:
    folder, _ = trained
    with (folder / "animals-evaluation" / "heldout.csv").open() as file:
        answers = [row for row in csv.DictReader(file) if row["model"] == "animals-table"]
    with upload.open() as file:
        truth = {row["animal_id"]: row["label"] for row in csv.DictReader(file)}
    assert all(truth[row["id"]] == row["truth"] for row in answers)
    assert len({row["id"] for row in answers}) == len(answers) == 12
    metrics = json.loads((folder / "animals-table" / "bundle.json").read_text())["metrics"]
    assert metrics["heldout"]["accuracy"] == pytest.approx(
        np.mean([row["truth"] == row["answer"] for row in answers]), abs=1e-4
    )
    assert (
        json.loads((folder / "animals-evaluation" / "metrics.json").read_text())["animals-table"]["heldout"]
        == (metrics["heldout"])
    )


def test_the_bundle_answers_originals_as_it_answered_in_training(trained: tuple[Path, Result], upload: Path) -> None:
    """Also of a transparent picture, which AutoGluon reads otherwise than a viewer shows it."""
    folder, _ = trained
    classifier = load_classifier(f"file://{folder.parent}", "animals")
    with (folder / "animals-evaluation" / "heldout.csv").open() as file:
        answers = {row["id"]: row for row in csv.DictReader(file) if row["model"] == "animals"}
    with upload.open() as file:
        rows = {row["animal_id"]: row for row in csv.DictReader(file) if row["animal_id"] in answers}
    assert classifier.image_input
    preprocessing = classifier.image_input.preprocessing
    assert preprocessing.pixels == "shown"
    for name, row in rows.items():
        picture = decode_for((upload.parent / row["image"]).read_bytes(), preprocessing, 1 << 20).pixels
        (found,) = classifier.predict([Example(row, [tensor(picture, preprocessing)])])
        assert found
        assert found.label == answers[name]["answer"]
        assert found.score == pytest.approx(float(answers[name]["score"]), abs=2e-4)


def test_plots_and_the_lines_to_use_the_models_are_given(trained: tuple[Path, Result]) -> None:
    folder, said = trained
    names = {path.name for path in (folder / "animals-evaluation").iterdir()}
    assert {f"animals{end}-{kind}.png" for end in ("", "-table") for kind in ("confusion", "reliability")} < names
    assert "60 records with the label 'label', 60 of them with images" in said.stderr
    assert "not learned from: notes (the same in all rows)" in said.stderr
    assert "pictures/01.png" in said.stderr
    use = said.stdout.splitlines()[-1]
    assert json.loads(use)["classifier"] == {"with_image": "animals", "without_image": "animals-table"}
    assert "animals-table, held out, with image" in said.stdout


def test_a_regression_of_a_table_alone(rows: pandas.DataFrame, tmp_path: Path) -> None:
    table = rows.drop(columns=["image", "label"]).assign(price=rows["weight"] * 2 + 1, id=range(len(rows)))
    table.to_parquet(tmp_path / "prices.parquet")
    said = run(
        *(tmp_path / "prices.parquet", "--label", "price", "--table-only", "--epochs", 30),
        *("--output", tmp_path / "models" / "prices"),
    )
    metrics = json.loads((tmp_path / "models" / "prices-table" / "bundle.json").read_text())["metrics"]
    assert metrics["heldout_mean"]["r2"] <= 0 < metrics["heldout"]["r2"]
    assert (tmp_path / "models" / "prices-evaluation" / "prices-table-values.png").exists()
    assert not (tmp_path / "models" / "prices").exists()
    assert "regression" in said.stderr


def test_texts_are_learned_with_a_text_network(rows: pandas.DataFrame, tmp_path: Path) -> None:
    told = [f"a small {label}, number {number}, loves children" for number, label in enumerate(rows["label"])]
    rows.drop(columns="image").assign(story=told, id=range(len(rows))).to_csv(tmp_path / "told.csv", index=False)
    reader = save_text_network(tmp_path / "reader")
    said = run(
        *(tmp_path / "told.csv", "--label", "label", "--table-only", "--text-backbone", reader, "--epochs", 1),
        *("--output", tmp_path / "models" / "told", "--keep", tmp_path / "kept"),
    )
    assert "text: story" in said.stderr
    inputs = read_folder(f"file://{tmp_path / 'models' / 'told-table'}").manifest.inputs
    assert any(isinstance(each, TextInput) and each.columns == ("story",) for each in inputs)
    assert (tmp_path / "kept" / "told-table" / "model.ckpt").exists()


def request(path: Path, label: str | None = "label", **changes: Any) -> Request:
    return Request(path, Options(label_column=label), **changes)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.rename(columns={"label": "kind"}), "no column 'label'"),
        (lambda frame: frame.assign(label="bird"), "only 'bird'"),
        (lambda frame: frame.assign(label=[str(number) for number in range(60)], id=frame["label"]), "two labels"),
        (lambda frame: frame.head(20), "20 labelled rows are too few"),
        (
            lambda frame: frame.assign(image="absent/" + frame["animal_id"] + ".png"),
            "only 0 labelled records have an image",
        ),
    ],
)
def test_a_faulty_table_is_refused_with_the_reason(
    change: Callable[[pandas.DataFrame], pandas.DataFrame], reason: str, rows: pandas.DataFrame, tmp_path: Path
) -> None:
    path = write_upload(rows, tmp_path / "upload")
    change(pandas.read_csv(path, dtype=str)).to_csv(path, index=False)
    problem = "multiclass" if "two" in reason else None
    with pytest.raises(BadTable, match=reason):
        gather(request(path, problem=problem), tmp_path / "work")


def test_a_label_must_be_named_and_an_option_must_fit(upload: Path, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="--label"):
        gather(request(upload, None), tmp_path / "one")
    with pytest.raises(BadTable, match="no column 'colr'"):
        gather(request(upload, wishes=Wishes(ignored=["colr"])), tmp_path / "two")
    with pytest.raises(BadTable, match="a regression needs numbers"):
        gather(request(upload, problem="regression"), tmp_path / "three")
    with pytest.raises(BadRequest, match="give a zip, a folder, or a table"):
        gather(request(upload.parent / "pictures" / "00.png"), tmp_path / "four")


def test_an_upload_may_name_its_label_itself(upload: Path, tmp_path: Path) -> None:
    (tmp_path / "pixlake.json").write_text(json.dumps({"label_column": "colour", "id_column": "animal_id"}))
    (tmp_path / "animals.csv").write_bytes(upload.read_bytes())
    found = gather(request(tmp_path, None, pictures=False), tmp_path / ".work")
    assert found.records.label == "colour"
    assert found.records.unlabelled == 6


def test_parts_share_no_row_hold_every_class_and_follow_from_the_seed() -> None:
    labels = ["a"] * 70 + ["b"] * 25 + ["c"] * 6 + ["rare"] * 2
    parts = divide(labels, None, 0.2, seed=3)
    every = [parts.learning, parts.validation, parts.heldout]
    assert sorted(np.concatenate(every)) == list(range(101))
    assert all({labels[row] for row in part} == {"a", "b", "c"} for part in every)
    assert Counter(labels[row] for row in parts.heldout) == {"a": 14, "b": 5, "c": 1}
    assert parts.left_out == {"rare": 2}
    assert np.array_equal(parts.heldout, divide(labels, None, 0.2, seed=3).heldout)
    assert not np.array_equal(parts.heldout, divide(labels, None, 0.2, seed=4).heldout)


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["yes", "no"], "binary"),
        (["1", "2", "3"], "multiclass"),
        ([str(number / 7) for number in range(30)], "regression"),
        ([f"name {number}" for number in range(30)], "multiclass"),
    ],
)
def test_the_problem_follows_from_the_labels(labels: list[str], problem: str) -> None:
    assert find_problem(labels) == problem


def test_the_kind_of_a_column_follows_from_its_values_unless_named() -> None:
    count = 40
    table = pandas.DataFrame(
        {
            "number": [f" {index / 3} " for index in range(count)],
            "kind": ["1", "2"] * 20,
            "colour": ["red", None, "blue", "red"] * 10,
            "story": [f"once upon {index}" for index in range(count)],
            "empty": [None] * count,
            "grouped": [f"{index},000" for index in range(count)],
        }
    )
    found = choose_columns(table, Wishes(categorical=["kind"]))
    assert (found.numerical, found.categorical, found.text) == (("number",), ("kind", "colour"), ())
    assert set(found.left_out) == {"story", "empty", "grouped"}
    assert "--text-backbone" in found.left_out["story"]
    assert choose_columns(table, Wishes(text=True)).text == ("story", "grouped")
    assert choose_columns(table, Wishes(ignored=["number"])).left_out["number"] == "ignored"
    typed = found.typed(table)
    assert typed["number"][3] == 1.0
    assert typed["kind"][0] == "1"


def test_pictures_are_read_by_autogluon_as_the_bundle_reads_the_originals(network: Path, tmp_path: Path) -> None:
    preprocessing = prepare_backbone(f"{network}/", tmp_path / "ready", trained=True, side=SIDE, seed=0).preprocessing
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 255, (300, 400, 3), dtype=np.uint8))
    lying = Image.Exif()
    lying[0x0112] = 6
    picture.save(tmp_path / "plain;.png")
    picture.save(tmp_path / "large.jpg")
    picture.save(tmp_path / "lying.jpg", exif=lying)
    picture.convert("RGBA").rotate(20).save(tmp_path / "transparent.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    names = ["plain;.png", "large.jpg", "lying.jpg", "transparent.png", "broken.png"]
    originals = [Original(name, f"file://{tmp_path / name}") for name in names]
    found = prepare_pictures([originals[:3], [], originals[3:]], preprocessing, tmp_path / "pictures")
    assert [len(files) for files in found.files] == [3, 0, 1]
    assert [reject.source for reject in found.rejects] == ["broken.png"]
    for original, file in zip(originals, [each for files in found.files for each in files], strict=False):
        expected = decode_for((tmp_path / original.path).read_bytes(), preprocessing, 1 << 20).pixels
        with Image.open(file) as read:
            assert np.array_equal(np.asarray(read.convert("RGB")), np.asarray(expected))
        assert ";" not in str(file)
    assert found.files[0][0].is_symlink()
    assert not found.files[0][2].is_symlink()


def test_an_unusable_network_is_refused(network: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for name, reason in (
        ("resnet1", "timm knows no such model"),
        (f"{empty}/", "no folder with a timm model"),
        ("vit_tiny_patch16_224", "takes no pictures of 100 pixels"),
    ):
        with pytest.raises(BadRequest, match=reason):
            prepare_backbone(name, tmp_path / "ready", trained=False, side=100, seed=0)
    (empty / "config.json").write_bytes((network / "config.json").read_bytes())
    with pytest.raises(BadRequest, match=r"model\.safetensors"):
        prepare_backbone(f"{empty}/", tmp_path / "ready", trained=True, side=None, seed=0)


def test_random_weights_follow_from_the_seed(tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((1, 1, 2)):
        made = prepare_backbone("resnet10t", tmp_path / str(number), trained=False, side=32, seed=seed)
        weights.append(torch.load(made.folder / "pytorch_model.bin", weights_only=True)["conv1.0.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
