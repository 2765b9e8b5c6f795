"""A graph's tensors come out of the file beside it, however they get into memory, and only when they are verified."""

import errno
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx.external_data_helper import set_external_data
from PIL import Image

from pixlake import storage
from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import version
from pixlake.bundles.weights import FetchedWeights, MappedWeights, NoWeights, WeightsInMemory, find_weights
from pixlake.errors import BadBundle
from pixlake.inference.embedder import Embedder
from pixlake.inference.loaded import load_embedder, open_embedder
from tests.builders.tiny import WEIGHTS, BundleLake, image_graph, text_graph, tokenizer

RED = Image.new("RGB", (8, 8), (255, 0, 0))
Load = Callable[[str, str], Embedder]
LOADS = pytest.mark.parametrize("load", [load_embedder, open_embedder])


def beside(graph: bytes, file: str) -> bytes:
    """The graph with its only tensor in `file`."""
    model = onnx.load_from_string(graph)
    (tensor,) = model.graph.initializer
    set_external_data(tensor, file)
    tensor.ClearField("raw_data")
    return bytes(model.SerializeToString())


@pytest.fixture
def copied(bundle_lake: BundleLake) -> str:
    """A bundle whose image tower has its tensor beside it."""
    files = {
        "image.onnx": beside(image_graph(), "image.onnx.data"),
        "image.onnx.data": WEIGHTS.tobytes(),
        "text.onnx": text_graph(),
        "tokenizer.json": tokenizer(),
    }
    return bundle_lake.embedder(files=files)


@pytest.fixture
def pushed(bundle_lake: BundleLake, copied: str) -> str:
    """The same, in a folder of its version."""
    home = bundle_lake.folder / "models" / "tiny"
    document = (home / "bundle.json").read_bytes()
    place = home / version(document)
    place.mkdir()
    for each in filter(Path.is_file, list(home.iterdir())):
        each.rename(place / each.name)
    (home / "bundle.json").write_bytes(document)
    return copied


def test_weights_of_a_pushed_bundle_are_memory_mapped(bundle_lake: BundleLake, pushed: str) -> None:
    folder = open_folder(bundle_lake.uri, pushed)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    assert isinstance(found, MappedWeights)
    assert (found.path, found.size) == (Path(folder.uri.removeprefix("file://")) / "image.onnx.data", WEIGHTS.nbytes)


def test_weights_of_a_copied_bundle_are_read_not_mapped(bundle_lake: BundleLake, copied: str) -> None:
    folder = open_folder(bundle_lake.uri, copied)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    assert found == WeightsInMemory("image.onnx.data", WEIGHTS.tobytes())


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Bundles as if in a bucket; the folder for temporary files."""
    monkeypatch.setattr(storage, "local_path", lambda _: None)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    return scratch


def test_weights_of_a_bucket_are_copied_to_disk_until_they_are_mapped(
    bundle_lake: BundleLake, copied: str, remote: Path
) -> None:
    folder = open_folder(bundle_lake.uri, copied)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    assert isinstance(found, FetchedWeights)
    (copy,) = remote.glob("*/image.onnx.data")
    assert (copy.read_bytes(), found.size) == (WEIGHTS.tobytes(), WEIGHTS.nbytes)
    del found
    assert list(remote.iterdir()) == []


def test_weights_of_a_bucket_answer_as_those_on_this_machine(
    bundle_lake: BundleLake, copied: str, request: pytest.FixtureRequest
) -> None:
    here = open_embedder(bundle_lake.uri, copied).embed_images([RED])
    remote: Path = request.getfixturevalue("remote")
    np.testing.assert_array_equal(open_embedder(bundle_lake.uri, copied).embed_images([RED]), here)
    assert list(remote.iterdir()) == []


def test_damaged_weights_of_a_bucket_are_refused_and_leave_no_copy(
    bundle_lake: BundleLake, copied: str, remote: Path
) -> None:
    (bundle_lake.folder / "models/tiny/image.onnx.data").write_bytes(bytes(WEIGHTS.nbytes))
    with pytest.raises(BadBundle, match="SHA-256"):
        open_embedder(bundle_lake.uri, copied).embed_images([RED])
    assert list(remote.iterdir()) == []


def test_weights_of_a_bucket_are_read_where_the_disk_is_full(
    bundle_lake: BundleLake, copied: str, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    folder = open_folder(bundle_lake.uri, copied)
    found = find_weights(folder, "image.onnx", folder.read("image.onnx"))
    assert found == WeightsInMemory("image.onnx.data", WEIGHTS.tobytes())
    assert list(remote.iterdir()) == []


def test_a_graph_that_mentions_another_file_gets_its_weights_in_memory(bundle_lake: BundleLake, pushed: str) -> None:
    folder = open_folder(bundle_lake.uri, pushed)
    graph = folder.read("image.onnx") + b"..Tokenizer.JSON.."
    assert isinstance(find_weights(folder, "image.onnx", graph), WeightsInMemory)


def test_a_graph_with_inline_tensors_has_no_weights_file(bundle_lake: BundleLake, pushed: str) -> None:
    folder = open_folder(bundle_lake.uri, pushed)
    assert find_weights(folder, "text.onnx", folder.read("text.onnx")) == NoWeights()


@LOADS
def test_mapped_or_not_the_answer_is_the_same(bundle_lake: BundleLake, tmp_path: Path, pushed: str, load: Load) -> None:
    whole = BundleLake(tmp_path / "whole")
    expected = load(whole.uri, whole.embedder()).embed_images([RED])
    np.testing.assert_array_equal(load(bundle_lake.uri, pushed).embed_images([RED]), expected)


@LOADS
def test_a_loaded_model_outlives_its_file(bundle_lake: BundleLake, pushed: str, load: Load) -> None:
    """As when a newer version was pushed, and the older one deleted after a day."""
    embedder = load(bundle_lake.uri, pushed)
    before = embedder.embed_images([RED])
    for each in (bundle_lake.folder / "models" / "tiny").rglob("image.*"):
        each.unlink()
    np.testing.assert_array_equal(embedder.embed_images([RED]), before)


@LOADS
@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("size", [WEIGHTS.nbytes, WEIGHTS.nbytes - 1, 0])
def test_damaged_weights_are_refused_by_their_checksum(bundle_lake: BundleLake, size: int, load: Load) -> None:
    """Even where ONNX Runtime fails on them first."""
    (path,) = bundle_lake.folder.rglob("image.onnx.data")
    path.write_bytes(bytes(size))
    with pytest.raises(BadBundle, match=r"image\.onnx\.data: its SHA-256"):
        load(bundle_lake.uri, "tiny").embed_images([RED])


@LOADS
@pytest.mark.usefixtures("pushed")
def test_damaged_weights_are_refused_though_a_push_repairs_them_while_loading(
    bundle_lake: BundleLake, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has the damaged file, the checksum is the mended one's."""
    (path,) = bundle_lake.folder.rglob("image.onnx.data")
    good, made = path.read_bytes(), Event()
    path.write_bytes(bytes(len(good)))

    class Session(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.set()

    def sha256(uri: str) -> str:
        assert made.wait(10)
        storage.write(uri, good)
        return hashlib.sha256(good).hexdigest()

    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(storage, "sha256", sha256)
    with pytest.raises(BadBundle, match=r"image\.onnx\.data: it was replaced while it was loaded"):
        load(bundle_lake.uri, "tiny").embed_images([RED])


def test_weights_are_prepacked_only_for_a_cached_model(
    bundle_lake: BundleLake, pushed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepacked: list[bool] = []

    class Session(ort.InferenceSession):  # type: ignore[misc]
        def __init__(self, data: bytes, options: ort.SessionOptions, providers: list[str]) -> None:
            super().__init__(data, options, providers)
            try:
                prepacked.append(options.get_session_config_entry("session.disable_prepacking") != "1")
            except RuntimeError:  # it was not set
                prepacked.append(True)

    monkeypatch.setattr(ort, "InferenceSession", Session)
    for load in (load_embedder, open_embedder):
        load(bundle_lake.uri, pushed).embed_images([RED])
    assert prepacked == [True, False]
