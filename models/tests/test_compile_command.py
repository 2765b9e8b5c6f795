"""`pixlake models compile` refuses at once what it cannot compile, and runs no pickle of such a folder."""

import json
import pickle
from pathlib import Path
from typing import Any

import pandas
import pytest
from click.testing import CliRunner, Result

from pixlake.errors import BadRequest
from pixlake_cli.main import cli
from pixlake_models.autogluon.rows import read_rows


class Exploit:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, ["models", "compile", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As AutoGluon leaves one, with pickles that leave a mark."""
    folder = tmp_path / "adoption"
    folder.mkdir()
    for name in ("df_preprocessor.pkl", "data_processors.pkl", "eval_metric.pkl", "predictor.pkl"):
        (folder / name).write_bytes(pickle.dumps(Exploit(tmp_path / "pwned")))
    return folder


@pytest.mark.parametrize(
    ("assets", "reason"),
    [
        ({"problem_type": "object_detection", "learner_class": "ObjectDetectionLearner"}, "not object_detection"),
        ({"problem_type": "ner", "learner_class": "NERLearner"}, "not ner"),
        ({"problem_type": "few_shot_classification"}, "not few_shot_classification"),
        ({"problem_type": "binary", "learner_class": "EnsembleLearner"}, "a EnsembleLearner"),
        ({"problem_type": "image_similarity", "learner_class": "MatchingLearner"}, "not image_similarity"),
        ({}, "not as AutoGluon writes it"),
        ([], "not as AutoGluon writes it"),
    ],
)
def test_another_kind_of_model_is_refused_with_the_reason(
    folder: Path, assets: Any, reason: str, tmp_path: Path
) -> None:
    (folder / "assets.json").write_text(json.dumps(assets))
    result = run(folder, "--output", tmp_path / "bundle")
    assert result.exit_code == 1
    assert reason in result.stderr
    assert "docs/autogluon-container.md" in result.stderr
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "pwned").exists()


def test_a_tabular_predictor_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--output", tmp_path / "bundle")
    assert result.exit_code == 1
    assert "TabularPredictor" in result.stderr
    assert not (tmp_path / "pwned").exists()


def test_a_folder_without_a_predictor_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "--output", tmp_path / "bundle")
    assert result.exit_code == 1
    assert "no MultiModalPredictor" in result.stderr


def test_an_output_folder_with_other_files_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--output", tmp_path)
    assert result.exit_code == 2
    assert "something else than a bundle" in result.stderr


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_images_are_named_relative_to_the_table(suffix: str, tmp_path: Path) -> None:
    table = pandas.DataFrame({"age": [1, 2, 3], "photos": ["a.jpg;sub/b.jpg", None, "/data/c.jpg"]})
    path = tmp_path / f"pets{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    rows = read_rows(path, "photos")
    assert rows["age"].tolist() == [1, 2, 3]
    assert rows["photos"].tolist() == [f"{tmp_path}/a.jpg;{tmp_path}/sub/b.jpg", None, "/data/c.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("rows.xlsx", b"x", r"ends in \.csv"), ("rows.csv", b"", "cannot read"), ("rows.csv", b"age\n", "no rows")],
)
def test_an_unreadable_table_of_rows_is_refused(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match=reason):
        read_rows(tmp_path / name, None)
