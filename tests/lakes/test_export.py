"""`pixlake export`: what an experiment's images are in other tools' files."""

import csv
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixlake.errors import MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake_cli.exports import export_webdataset
from tests.builders.commands import run
from tests.builders.zoo import EMBEDDINGS, MODEL, fill, folder_of, put_rows

PATHS = ["car.png", "cat.png", "lion.png"]

pytestmark = pytest.mark.usefixtures("in_this_process")


def fill_with_images(lake: Lake) -> Lake:
    """The zoo with its image files, and vectors of another model that are not exported."""
    fill(lake)
    for path in PATHS:
        place = folder_of(lake) / "images" / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.encode())
    put_rows(lake, "embeddings", [EMBEDDINGS[0] | {"model": "other@0"}], "other")
    return lake


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading only."""
    return fill_with_images(Lake.at(str(tmp_path_factory.mktemp("zoo"))))


def export(lake: Lake, kind: str, output: Path, *arguments: object) -> None:
    result = run(
        "export", "--lake", lake.folder, "--experiment", "zoo", "--format", kind, "--output", output, *arguments
    )
    assert result.exit_code == 0, result.stderr


def read(path: Path) -> dict[str, dict[str, Any]]:
    return {row["image_path"]: row for row in pq.read_table(path).to_pylist(maps_as_pydicts="strict")}


def test_parquet_has_a_row_an_image_with_its_record_and_prediction(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "parquet", tmp_path / "zoo.parquet")
    rows = read(tmp_path / "zoo.parquet")
    assert sorted(rows) == PATHS
    assert {key: rows["cat.png"][key] for key in ("record_id", "label", "score", "attributes", "model")} == {
        "record_id": "cat",
        "label": "animal",
        "score": 0.9,
        "attributes": {"name": "cat, 'a'"},
        "model": MODEL,
    }
    assert rows["lion.png"]["attributes"] is None, "the lion is no record"
    assert (rows["car.png"]["label"], rows["car.png"]["record_id"]) == ("thing", None)
    np.testing.assert_array_equal(rows["lion.png"]["embedding"], np.array([0.8, 0.6, 0.0], np.float32))


def test_csv_has_the_vector_and_the_attributes_as_json(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "csv", tmp_path / "zoo.csv")
    with (tmp_path / "zoo.csv").open(newline="") as file:
        rows = {row["image_path"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == PATHS
    assert json.loads(rows["cat.png"]["attributes"]) == {"name": "cat, 'a'"}
    assert json.loads(rows["car.png"]["embedding"]) == [0, 0, 1]


def test_npy_is_a_matrix_with_the_other_columns_row_by_row_beside_it(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "npy", tmp_path / "zoo.npy")
    matrix, facts = np.load(tmp_path / "zoo.npy"), pq.read_table(tmp_path / "zoo.npy.parquet")
    assert (matrix.shape, matrix.dtype, "embedding" in facts.column_names) == ((3, 3), np.float32, False)
    expected = {row["image_path"]: row["embedding"] for row in EMBEDDINGS}
    for vector, path in zip(matrix, facts["image_path"].to_pylist(), strict=True):
        np.testing.assert_array_equal(vector, np.array(expected[path], np.float32))
    export(zoo, "npy", tmp_path / "none.npy", "--where", "label = 'none'")
    assert np.load(tmp_path / "none.npy").shape == (0, 0)


def test_webdataset_has_each_image_as_it_was_uploaded(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "webdataset", tmp_path / "zoo")
    samples = members(tmp_path / "zoo")
    assert {name.partition(".")[2] for name in samples} == {"png", "json", "npy"}
    for name in (name for name in samples if name.endswith(".json")):
        facts, stem = json.loads(samples[name]), name.partition(".")[0]
        assert samples[f"{stem}.png"] == facts["image_path"].encode()
        vector = np.load(io.BytesIO(samples[f"{stem}.npy"]))
        assert (vector.shape, vector.dtype) == ((3,), np.float32)
        assert "embedding" not in facts
        assert facts["score"] == {"car.png": None, "cat.png": 0.9, "lion.png": 0.6}[facts["image_path"]]
    result = run("export", "--lake", zoo.folder, "--experiment", "zoo", "--format", "webdataset", "--output", tmp_path)
    assert (result.exit_code, "is there already" in result.stderr) == (2, True)


def members(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        with tarfile.open(path) as shard:
            found |= {member.name: shard.extractfile(member).read() for member in shard}  # type: ignore[union-attr]
    return found


def test_webdataset_begins_another_tar_where_one_is_full(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "parquet", tmp_path / "zoo.parquet")
    rows = pq.read_table(tmp_path / "zoo.parquet")
    for name, size, tars in (("small", 1, 3), ("large", 1 << 20, 1)):
        (tmp_path / name).mkdir()
        export_webdataset(rows.to_reader(), tmp_path / name, size)
        assert (len(list((tmp_path / name).iterdir())), len(members(tmp_path / name))) == (tars, 9)


def test_an_image_that_the_lake_lost_ends_the_export_and_leaves_nothing(tmp_path: Path) -> None:
    zoo = fill_with_images(Lake.at(str(tmp_path / "lake")))
    (folder_of(zoo) / "images/cat.png").unlink()
    arguments = ("--lake", zoo.folder, "--experiment", "zoo", "--format", "webdataset", "--output", tmp_path / "out")
    result = run("export", *arguments)
    assert (result.exit_code, "images/cat.png" in result.stderr) == (1, True)
    assert list(tmp_path.glob("*out*")) == []
    lost = pa.Table.from_pylist([EMBEDDINGS[0] | {"image_uri": f"{zoo.uri}/none.png"}])
    with pytest.raises(MissingObject):
        export_webdataset(lost.to_reader(), tmp_path)


@pytest.mark.parametrize(
    ("where", "paths"),
    [
        ("score BETWEEN 0.5 AND 1 -- and a comment", ["cat.png", "lion.png"]),
        ("attributes['name'] LIKE 'cat%' OR record_id IS NULL", ["car.png", "cat.png"]),
    ],
)
def test_where_is_a_condition_on_any_column(zoo: Lake, tmp_path: Path, where: str, paths: list[str]) -> None:
    export(zoo, "parquet", tmp_path / "some.parquet", "--where", where)
    assert sorted(read(tmp_path / "some.parquet")) == paths


def test_what_cannot_be_is_said_and_leaves_no_file(zoo: Lake, tmp_path: Path) -> None:
    cases: list[tuple[list[object], int, str]] = [
        (["--experiment", "none"], 1, "experiment 'none'"),
        (["--experiment", "zoo", "--where", "label ="], 2, "line"),
        (["--experiment", "zoo", "--where", "none = 1"], 2, "none"),
        (["--experiment", "zoo", "--model", "none"], 1, "there are embeddings by"),
        (["--experiment", "zoo", "--output", tmp_path / "no/such/x.parquet"], 2, "cannot write"),
        (["--experiment", "zoo", "--output", tmp_path], 2, "name a file"),
    ]
    for arguments, code, message in cases:
        output = () if "--output" in arguments else ("--output", tmp_path / "x.parquet")
        result = run("export", "--lake", zoo.folder, "--format", "parquet", *output, *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert not (tmp_path / "x.parquet").exists()
    assert list(tmp_path.glob(".x*")) == []


@pytest.mark.parametrize(("kind", "distribution"), [("lance", "pylance"), ("faiss", "faiss-cpu")])
def test_a_format_whose_library_is_missing_says_how_to_install_it(
    zoo: Lake, tmp_path: Path, kind: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, kind, None)
    arguments = ("export", "--lake", zoo.folder, "--experiment", "zoo", "--format", kind, "--output", tmp_path / "out")
    result = run(*arguments)
    assert (result.exit_code, f"`pip install {distribution}`" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
