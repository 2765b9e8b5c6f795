"""A model of numbers, categories, texts and photos: trained, compiled by the command, pushed, and run on a zip by the
`pixlake` that has no torch. The rows in the table are the rows that AutoGluon gives."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from autogluon.multimodal import MultiModalPredictor
from click.testing import CliRunner, Result

from models.tests.pets import ID, IMAGES, TABLE_TYPES, TYPES, Pets, make_pets, make_upload, train_pair
from pixlake.bundles.folders import read_folder
from pixlake_cli.main import cli

# those of AutoGluon, Lightning and what they import
pytestmark = pytest.mark.filterwarnings("ignore")
# the environment in which people run it, which has neither torch nor AutoGluon
PIXLAKE = Path(__file__).parents[2] / ".venv" / "bin" / "pixlake"
GREATEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Trained:
    """The folders of both models, and AutoGluon's own probabilities for every record by each, by id."""

    pets: Pets
    whole: Path
    table: Path
    by_whole: dict[str, dict[str, float]]
    by_table: dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    pets = make_pets(tmp_path_factory.mktemp("pets"))
    whole, table = train_pair(pets, tmp_path_factory.mktemp("trained"))
    return Trained(pets, whole, table, predict(whole, pets, list(TYPES)), predict(table, pets, list(TABLE_TYPES)))


def predict(folder: Path, pets: Pets, columns: list[str]) -> dict[str, dict[str, float]]:
    predictor, rows = MultiModalPredictor.load(str(folder), verbosity=0), pets.rows()
    answers = predictor.predict_proba(rows[columns], as_pandas=True)
    return dict(zip(rows[ID], answers.to_dict("records"), strict=True))


@dataclass(frozen=True)
class Compiled:
    """What the command printed, and the bundles that it made."""

    printed: dict[str, Result]
    folder: Path


@pytest.fixture(scope="module")
def compiled(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """With the rows of the table, and without any."""
    folder = tmp_path_factory.mktemp("compiled")
    whole = compile_folder(trained.whole, "--rows", trained.pets.table, "--output", folder / "adoption")
    table = compile_folder(trained.table, "--output", folder / "adoption-table")
    return Compiled({"adoption": whole, "adoption-table": table}, folder)


def compile_folder(*arguments: Any) -> Result:
    result = CliRunner().invoke(cli, ["models", "compile", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def lake_folder(compiled: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake_folder = tmp_path_factory.mktemp("lake")
    for name in compiled.printed:
        pixlake("models", "push", compiled.folder / name, "--lake", lake_folder)
    return lake_folder


def pixlake(*arguments: Any) -> str:
    assert PIXLAKE.exists(), "run `make install` first"
    done = subprocess.run([PIXLAKE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(pets: Pets, lake_folder: Path, path: Path, **classifier: str) -> dict[str, dict[str, Any]]:
    """The predictions of one upload by record."""
    upload = make_upload(pets, path, classifier)
    pixlake("run", upload, "--lake", lake_folder)
    query = f"SELECT * FROM predictions WHERE experiment_id = '{path.stem}'"
    found = json.loads(pixlake("query", query, "--lake", lake_folder, "--format", "json"))
    assert len(found) == len(pets.rows())
    return {row["record_id"]: row for row in found}


def difference(row: dict[str, Any], expected: dict[str, float]) -> float:
    assert row["label"] == max(expected, key=lambda label: expected[label])
    assert row["probabilities"].keys() == expected.keys()
    found: dict[str, float] = row["probabilities"]
    return max(abs(found[label] - value) for label, value in expected.items())


def test_every_record_gets_autogluons_probabilities(trained: Trained, lake_folder: Path, tmp_path: Path) -> None:
    models = {"with_image": "adoption", "without_image": "adoption"}
    found = run(trained.pets, lake_folder, tmp_path / "one-model.zip", **models)
    photos = dict(zip(trained.pets.rows()[ID], trained.pets.rows()[IMAGES], strict=True))
    modalities = {record: "image+tabular" if photos[record] else "tabular" for record in found}
    assert {record: row["modality"] for record, row in found.items()} == modalities
    assert set(modalities.values()) == {"image+tabular", "tabular"}
    assert max(difference(row, trained.by_whole[record]) for record, row in found.items()) <= GREATEST_DIFFERENCE


def test_records_without_photos_may_have_a_model_of_their_own(
    trained: Trained, lake_folder: Path, tmp_path: Path
) -> None:
    models = {"with_image": "adoption", "without_image": "adoption-table"}
    found = run(trained.pets, lake_folder, tmp_path / "pair.zip", **models)
    for record, row in found.items():
        expected = trained.by_whole if row["modality"] == "image+tabular" else trained.by_table
        assert difference(row, expected[record]) <= GREATEST_DIFFERENCE
        assert row["model"].startswith("adoption@" if row["modality"] == "image+tabular" else "adoption-table@")


def test_every_column_changes_the_answers(trained: Trained) -> None:
    """Else that the probabilities are the same would prove nothing of it."""
    rows = trained.pets.rows()[list(TYPES)]
    changed = [rows.assign(**{name: np.roll(rows[name].to_numpy(), 1)}) for name in TYPES]
    predictor = MultiModalPredictor.load(str(trained.whole), verbosity=0)
    answers = predictor.predict_proba(pandas.concat([rows, *changed], ignore_index=True), as_pandas=False)
    before, *after = np.split(answers, len(changed) + 1)
    seen = {name: np.abs(each - before).max() for name, each in zip(TYPES, after, strict=True)}
    assert min(seen.values()) > 10 * GREATEST_DIFFERENCE, seen


KINDS = {
    "adoption": {
        "as they are",
        "numbers missing",
        "numbers extreme",
        "numbers written otherwise",
        "litter unseen",
        "sterile missing",
        "text missing",
        "text empty or blank",
        "text very long",
        "one text very long",
        "text of any characters",
        "image missing",
        "image broken",
        "image: large JPEG",
        "image: transparent",
        "image: turned by EXIF",
        "image: CMYK",
        "3 images",
        "more images than it takes",
        "nothing given",
    },
    "adoption-table": {"made up", "numbers extreme", "breed unseen", "nothing given"},
}


@pytest.mark.parametrize("name", KINDS)
def test_the_proof_is_printed_and_kept(name: str, compiled: Compiled) -> None:
    folder, printed = read_folder((compiled.folder / name).as_uri()), compiled.printed[name]
    metrics = folder.manifest.metrics
    assert KINDS[name] <= metrics["autogluon"].keys()
    assert 0 < metrics["autogluon_difference"] <= GREATEST_DIFFERENCE
    assert metrics["autogluon_difference"] == max(each["difference"] for each in metrics["autogluon"].values())
    assert metrics["autogluon_rows"] == sum(each["rows"] for each in metrics["autogluon"].values())
    lines = {line.rsplit(maxsplit=2)[0] for line in printed.stdout.splitlines()}
    assert metrics["autogluon"].keys() <= lines
    assert folder.model in printed.stdout
    assert ("made up" in printed.stderr) == (name == "adoption-table")


def test_its_card_has_its_inputs_and_its_proof(lake_folder: Path) -> None:
    card = pixlake("models", "show", "adoption", "--lake", lake_folder)
    for line in ("up to 3 images a record", "text name, story, at most 40 tokens", "autogluon, text very long: rows 8"):
        assert line in card
    assert "fit to serve" in pixlake("models", "verify", "adoption", "--lake", lake_folder)
