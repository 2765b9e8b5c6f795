"""A bundle is loaded, verified and of the version asked for, or refused with the reason; its towers when asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from pixlake import storage
from pixlake.bundles.folders import open_folder
from pixlake.errors import BadBundle, BadRequest
from pixlake.inference import loaded as bundles
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.loaded import load_bundle, load_classifier, load_embedder, open_embedder
from tests.builders.tiny import (
    MEAN,
    STD,
    TOKEN_VECTORS,
    WEIGHTS,
    BundleLake,
    image_graph,
    image_input,
    refused,
)


def damaged(bundle_lake: BundleLake, file: str) -> str:
    model = bundle_lake.embedder()
    path = bundle_lake.folder / "models" / "tiny" / file
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return model


# ---- what it answers ----------------------------------------------------------------------------------------------


def test_an_embedder_is_loaded_by_name_and_by_version(bundle_lake: BundleLake) -> None:
    model = bundle_lake.embedder()
    assert load_embedder(bundle_lake.uri, "tiny", 1) is load_embedder(bundle_lake.uri, model, 1)
    assert (load_embedder(bundle_lake.uri, "tiny", 1).model, load_embedder(bundle_lake.uri, model, 1).dimensions) == (
        model,
        4,
    )


def test_images_and_texts_become_unit_vectors(bundle_lake: BundleLake) -> None:
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(), 1)
    color = (np.array([255, 51, 0]) / 255 - MEAN) / STD @ WEIGHTS.astype(np.float64)
    (image,) = embedder.embed_images([Image.new("RGB", (30, 20), (255, 51, 0))])
    np.testing.assert_allclose(image, color / np.linalg.norm(color), atol=1e-6)

    texts = embedder.embed_texts(["red square", ""])
    rows = np.array([TOKEN_VECTORS[[2, 5, 0, 0]].mean(axis=0), TOKEN_VECTORS[0]])
    np.testing.assert_allclose(texts, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)
    assert image.dtype == texts.dtype == np.float32


def test_no_images_and_no_texts_give_no_vectors(bundle_lake: BundleLake) -> None:
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(), 1)
    assert embedder.embed_images([]).shape == embedder.embed_texts([]).shape == (0, 4)


def test_a_model_without_a_text_tower_refuses_texts(bundle_lake: BundleLake) -> None:
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(files={"image.onnx": image_graph()}, text=None), 1)
    with pytest.raises(BadBundle, match="no text tower"):
        embedder.embed_texts(["red"])


def test_a_graph_may_keep_its_weights_in_a_file_beside_it(bundle_lake: BundleLake, tmp_path: Path) -> None:
    model = onnx.load_from_string(image_graph())
    onnx.save(model, tmp_path / "image.onnx", save_as_external_data=True, location="image.onnx.data", size_threshold=0)
    files = {name: (tmp_path / name).read_bytes() for name in ("image.onnx", "image.onnx.data")}
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(files=files, text=None), 1)
    assert np.isfinite(embedder.embed_images([Image.new("RGB", (8, 8))])).all()


def test_an_embedder_opened_for_a_question_gives_the_same_vectors(bundle_lake: BundleLake) -> None:
    model = bundle_lake.embedder()
    kept, opened = load_embedder(bundle_lake.uri, model), open_embedder(bundle_lake.uri, "tiny")
    pictures = [Image.new("RGB", (30, 20), color) for color in ("red", "olive")]
    np.testing.assert_allclose(opened.embed_images(pictures), kept.embed_images(pictures), atol=1e-6)
    np.testing.assert_allclose(opened.embed_texts(["red"]), kept.embed_texts(["red"]), atol=1e-6)
    assert (opened.model, opened.size) == (kept.model, kept.size)


# ---- kept while the process is warm -------------------------------------------------------------------------------


def test_a_loaded_version_is_kept_and_a_new_one_loaded(bundle_lake: BundleLake) -> None:
    first = load_bundle(bundle_lake.uri, bundle_lake.embedder(), 1)
    model = bundle_lake.embedder(source={"origin": "retrained"})
    assert load_bundle(bundle_lake.uri, first.model, 1) is first
    assert load_bundle(bundle_lake.uri, "tiny", 1).model == model != first.model


def test_only_a_few_models_are_kept(bundle_lake: BundleLake) -> None:
    kept = load_bundle(bundle_lake.uri, bundle_lake.embedder("kept"), 1)
    for index in range(bundles._KEPT - 1):
        load_bundle(bundle_lake.uri, bundle_lake.embedder(f"other-{index}"), 1)
    assert load_bundle(bundle_lake.uri, kept.model, 1) is kept
    for index in range(bundles._KEPT):
        load_bundle(bundle_lake.uri, bundle_lake.embedder(f"more-{index}"), 1)
    assert load_bundle(bundle_lake.uri, kept.model, 1) is not kept


def test_only_the_latest_of_large_models_is_kept(bundle_lake: BundleLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_KEPT_BYTES", len(image_graph()) + 1)
    first = load_bundle(bundle_lake.uri, bundle_lake.embedder("first"), 1)
    second = load_bundle(bundle_lake.uri, bundle_lake.embedder("second"), 1)
    assert load_bundle(bundle_lake.uri, second.model, 1) is second
    assert load_bundle(bundle_lake.uri, first.model, 1) is not first


def test_a_bundle_of_another_kind_is_refused(bundle_lake: BundleLake) -> None:
    bundle_lake.embedder()
    bundle_lake.classifier("colors", image_graph(WEIGHTS[:, :3]), [image_input()], kind="image_classifier")
    assert isinstance(load_bundle(bundle_lake.uri, "tiny", 1), Embedder)
    assert isinstance(load_bundle(bundle_lake.uri, "colors", 1), Classifier)
    with pytest.raises(BadBundle, match="where a classifier is needed"):
        load_classifier(bundle_lake.uri, "tiny", 1)
    with pytest.raises(BadBundle, match="where an embedder is needed"):
        load_embedder(bundle_lake.uri, "colors", 1)


# ---- what is refused ----------------------------------------------------------------------------------------------


def test_a_missing_bundle_is_refused(bundle_lake: BundleLake) -> None:
    assert "there is no bundle here" in refused(bundle_lake, "absent")


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", ".hidden"])
def test_a_name_with_a_path_is_refused(bundle_lake: BundleLake, name: str) -> None:
    with pytest.raises(BadRequest):
        load_bundle(bundle_lake.uri, name)


def test_another_version_than_the_requested_is_refused(bundle_lake: BundleLake) -> None:
    bundle_lake.embedder()
    assert "changed during the run" in refused(bundle_lake, "tiny@000000000000")


def test_a_damaged_image_tower_is_refused(bundle_lake: BundleLake) -> None:
    model = damaged(bundle_lake, "image.onnx")
    assert "image.onnx: its SHA-256" in refused(bundle_lake, model)
    embedder = open_embedder(bundle_lake.uri, model)
    with pytest.raises(BadBundle, match=r"image\.onnx: its SHA-256"):
        embedder.embed_images([Image.new("RGB", (8, 8))])
    assert len(embedder.embed_texts(["red"])) == 1, "texts need none of it"


@pytest.mark.parametrize("file", ["text.onnx", "tokenizer.json"])
@pytest.mark.parametrize("load", [load_embedder, open_embedder])
def test_a_damaged_text_tower_is_refused(
    bundle_lake: BundleLake, file: str, load: Callable[[str, str], Embedder]
) -> None:
    embedder = load(bundle_lake.uri, damaged(bundle_lake, file))
    assert len(embedder.embed_images([Image.new("RGB", (8, 8))])) == 1, "images need none of it"
    with pytest.raises(BadBundle, match=f"{file}: its SHA-256"):
        embedder.embed_texts(["red"])


def test_a_missing_file_is_refused(bundle_lake: BundleLake) -> None:
    bundle_lake.embedder()
    (bundle_lake.folder / "models" / "tiny" / "text.onnx").unlink()
    assert "files are missing: ['text.onnx']" in refused(bundle_lake)


@pytest.mark.parametrize("name", ["notes.txt", "deep/er.bin"])
def test_an_unlisted_file_is_refused(bundle_lake: BundleLake, name: str) -> None:
    bundle_lake.embedder()
    path = bundle_lake.folder / "models" / "tiny" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("?")
    assert f"does not list: ['{name}']" in refused(bundle_lake)


def test_a_bundle_named_other_than_its_folder_is_refused(bundle_lake: BundleLake) -> None:
    bundle_lake.embedder("other")
    (bundle_lake.folder / "models" / "other").rename(bundle_lake.folder / "models" / "tiny")
    assert "the name is 'other'" in refused(bundle_lake)


def test_a_text_tower_damaged_after_loading_is_never_used(bundle_lake: BundleLake) -> None:
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(), 1)
    (bundle_lake.folder / "models" / "tiny" / "text.onnx").write_bytes(b"?")
    with pytest.raises(BadBundle, match="SHA-256"):
        embedder.embed_texts(["red"])


def test_naming_a_model_reads_only_the_manifest_and_the_listing(
    bundle_lake: BundleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = bundle_lake.embedder()
    read: list[str] = []
    original = storage.read

    def noting(uri: str) -> bytes:
        read.append(uri)
        return original(uri)

    monkeypatch.setattr(storage, "read", noting)
    assert open_folder(bundle_lake.uri, "tiny").model == model
    assert {uri.rpartition("/")[2] for uri in read} == {"bundle.json"}
