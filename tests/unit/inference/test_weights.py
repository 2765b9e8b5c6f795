"""A graph's tensors come out of the file beside it, however they get into memory, and only when they are verified."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import set_external_data
from PIL import Image

from pixlake.errors import BadBundle
from pixlake.inference.bundles import load_embedder
from pixlake.inference.folders import open_folder
from pixlake.inference.manifest import version
from pixlake.inference.weights import MappedWeights, NoWeights, WeightsInMemory, find_weights
from tests.unit.inference.tiny import WEIGHTS, Lake, image_graph, text_graph, tokenizer

RED = Image.new("RGB", (8, 8), (255, 0, 0))


def beside(graph: bytes, file: str) -> bytes:
    """The graph with its only tensor in `file`."""
    model = onnx.load_from_string(graph)
    (tensor,) = model.graph.initializer
    set_external_data(tensor, file)
    tensor.ClearField("raw_data")
    return bytes(model.SerializeToString())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def copied(lake: Lake) -> str:
    """A bundle whose image tower has its tensor beside it."""
    files = {
        "image.onnx": beside(image_graph(), "image.onnx.data"),
        "image.onnx.data": WEIGHTS.tobytes(),
        "text.onnx": text_graph(),
        "tokenizer.json": tokenizer(),
    }
    return lake.embedder(files=files)


@pytest.fixture
def pushed(lake: Lake, copied: str) -> str:
    """The same, in a folder of its version."""
    home = lake.folder / "models" / "tiny"
    document = (home / "bundle.json").read_bytes()
    place = home / version(document)
    place.mkdir()
    for each in filter(Path.is_file, list(home.iterdir())):
        each.rename(place / each.name)
    (home / "bundle.json").write_bytes(document)
    return copied


def test_a_pushed_file_is_mapped(lake: Lake, pushed: str) -> None:
    folder = open_folder(lake.uri, pushed)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    home = Path(folder.uri.removeprefix("file://"))
    assert found == MappedWeights(home, WEIGHTS.nbytes, ("image.onnx.data",))


def test_a_copied_file_which_may_be_written_into_is_not(lake: Lake, copied: str) -> None:
    folder = open_folder(lake.uri, copied)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    assert found == WeightsInMemory("image.onnx.data", WEIGHTS.tobytes())


def test_a_graph_that_may_mean_another_file_gets_bytes(lake: Lake, pushed: str) -> None:
    folder = open_folder(lake.uri, pushed)
    graph = folder.read("image.onnx") + b"..Tokenizer.JSON.."
    assert isinstance(find_weights(folder, "image.onnx", graph), WeightsInMemory)


def test_a_graph_that_keeps_its_tensors(lake: Lake, pushed: str) -> None:
    folder = open_folder(lake.uri, pushed)
    assert find_weights(folder, "text.onnx", folder.read("text.onnx")) == NoWeights()


def test_mapped_or_not_the_answer_is_the_same(lake: Lake, tmp_path: Path, pushed: str) -> None:
    whole = Lake(tmp_path / "whole")
    expected = load_embedder(whole.uri, whole.embedder(), 1).embed_images([RED])
    np.testing.assert_array_equal(load_embedder(lake.uri, pushed, 1).embed_images([RED]), expected)


def test_what_is_loaded_outlives_its_file(lake: Lake, pushed: str) -> None:
    """As when a newer version was pushed, and the older one deleted after a day."""
    embedder = load_embedder(lake.uri, pushed, 1)
    before = embedder.embed_images([RED])
    for each in (lake.folder / "models" / "tiny").rglob("image.*"):
        each.unlink()
    np.testing.assert_array_equal(embedder.embed_images([RED]), before)


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("size", [WEIGHTS.nbytes, WEIGHTS.nbytes - 1, 0])
def test_damaged_weights_answer_nothing(lake: Lake, size: int) -> None:
    """Even where ONNX Runtime fails on them first."""
    (path,) = lake.folder.rglob("image.onnx.data")
    path.write_bytes(bytes(size))
    with pytest.raises(BadBundle, match=r"image\.onnx\.data: its SHA-256"):
        load_embedder(lake.uri, "tiny", 1)
