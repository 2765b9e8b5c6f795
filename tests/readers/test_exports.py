"""`pixlake export` in the formats of libraries that pixlake does not bring: what these read is what was exported."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.zoo import EMBEDDINGS, fill

faiss: Any = import_module("faiss")
lance: Any = import_module("lance")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("zoo"))))


def export(zoo: Lake, kind: str, output: Path, *arguments: str) -> None:
    result = run(
        "export", "--lake", zoo.folder, "--experiment", "zoo", "--format", kind, "--output", output, *arguments
    )
    assert result.exit_code == 0, result.output


def vectors() -> dict[str, list[float]]:
    return {row["image_path"]: row["embedding"] for row in EMBEDDINGS}


def test_a_dataset_of_lance_has_the_rows_and_finds_the_nearest(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "lance", tmp_path / "zoo.lance")
    (tmp_path / "zoo.lance").rename(tmp_path / "moved.lance")
    dataset = lance.dataset(str(tmp_path / "moved.lance"))
    rows = {row["image_path"]: row for row in dataset.to_table().to_pylist()}
    assert {path: np.array(row["embedding"], np.float32).tolist() for path, row in rows.items()} == {
        path: np.array(vector, np.float32).tolist() for path, vector in vectors().items()
    }
    assert (rows["cat.png"]["label"], rows["car.png"]["record_id"]) == ("animal", None)
    assert rows["cat.png"]["attributes"] == [{"key": "name", "value": "cat, 'a'"}]
    nearest = dataset.to_table(nearest={"column": "embedding", "q": np.array([1, 0.1, 0], np.float32), "k": 2})
    assert nearest["image_path"].to_pylist() == ["cat.png", "lion.png"]


def test_an_index_of_faiss_finds_rows_of_the_file_beside_it(zoo: Lake, tmp_path: Path) -> None:
    export(zoo, "faiss", tmp_path / "zoo.faiss")
    index, facts = faiss.read_index(str(tmp_path / "zoo.faiss")), pq.read_table(tmp_path / "zoo.faiss.parquet")
    assert (index.ntotal, index.d) == (3, 3)
    paths = facts["image_path"].to_pylist()
    assert {path: index.reconstruct(row).tolist() for row, path in enumerate(paths)} == {
        path: np.array(vector, np.float32).tolist() for path, vector in vectors().items()
    }
    scores, found = index.search(np.array([[0.8, 0.6, 0]], np.float32), 2)
    assert [paths[row] for row in found[0]] == ["lion.png", "cat.png"]
    assert scores[0].tolist() == pytest.approx([1.0, 0.8])


@pytest.mark.parametrize("kind", ["lance", "faiss"])
def test_no_image_is_an_empty_file(zoo: Lake, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "none"
    export(zoo, kind, output, "--where", "false")
    count = faiss.read_index(str(output)).ntotal if kind == "faiss" else lance.dataset(str(output)).count_rows()
    assert count == 0
