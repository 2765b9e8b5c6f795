"""A bundle is loaded whole, verified and of the version asked for, or refused with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from PIL import Image

from pixlake import storage
from pixlake.errors import BadBundle, BadRequest
from pixlake.inference import bundles
from pixlake.inference.bundles import load_bundle, load_classifier, load_embedder, open_embedder
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.folders import open_folder
from pixlake.inference.manifest import Manifest
from pixlake.inference.parsing import parse
from tests.unit.inference.tiny import (
    MEAN,
    STD,
    TOKEN_VECTORS,
    WEIGHTS,
    Lake,
    image_graph,
    image_input,
    preprocessing,
    tokenizer,
)


def rewrite(lake: Lake, change: Callable[[dict[str, Any]], object], name: str = "tiny") -> None:
    """Change `bundle.json` behind everybody's back."""
    path = lake.folder / "models" / name / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def refused(lake: Lake, model: str = "tiny") -> str:
    with pytest.raises(BadBundle) as caught:
        load_bundle(lake.uri, model, 1)
    assert model.partition("@")[0] in str(caught.value)
    return str(caught.value)


def damaged(lake: Lake, file: str) -> str:
    model = lake.embedder()
    path = lake.folder / "models" / "tiny" / file
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return model


# ---- what it answers ----------------------------------------------------------------------------------------------


def test_an_embedder_answers_by_name_and_by_version(lake: Lake) -> None:
    model = lake.embedder()
    assert load_embedder(lake.uri, "tiny", 1) is load_embedder(lake.uri, model, 1)
    assert (load_embedder(lake.uri, "tiny", 1).model, load_embedder(lake.uri, model, 1).dimensions) == (model, 4)


def test_images_and_texts_become_unit_vectors(lake: Lake) -> None:
    embedder = load_embedder(lake.uri, lake.embedder(), 1)
    color = (np.array([255, 51, 0]) / 255 - MEAN) / STD @ WEIGHTS.astype(np.float64)
    (image,) = embedder.embed_images([Image.new("RGB", (30, 20), (255, 51, 0))])
    np.testing.assert_allclose(image, color / np.linalg.norm(color), atol=1e-6)

    texts = embedder.embed_texts(["red square", ""])
    rows = np.array([TOKEN_VECTORS[[2, 5, 0, 0]].mean(axis=0), TOKEN_VECTORS[0]])
    np.testing.assert_allclose(texts, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)
    assert image.dtype == texts.dtype == np.float32


def test_nothing_asked_is_nothing_answered(lake: Lake) -> None:
    embedder = load_embedder(lake.uri, lake.embedder(), 1)
    assert embedder.embed_images([]).shape == embedder.embed_texts([]).shape == (0, 4)


def test_a_model_without_a_text_tower_says_so(lake: Lake) -> None:
    embedder = load_embedder(lake.uri, lake.embedder(files={"image.onnx": image_graph()}, text=None), 1)
    with pytest.raises(BadBundle, match="no text tower"):
        embedder.embed_texts(["red"])


def test_a_graph_may_keep_its_weights_in_a_file_beside_it(lake: Lake, tmp_path: Path) -> None:
    model = onnx.load_from_string(image_graph())
    onnx.save(model, tmp_path / "image.onnx", save_as_external_data=True, location="image.onnx.data", size_threshold=0)
    files = {name: (tmp_path / name).read_bytes() for name in ("image.onnx", "image.onnx.data")}
    embedder = load_embedder(lake.uri, lake.embedder(files=files, text=None), 1)
    assert np.isfinite(embedder.embed_images([Image.new("RGB", (8, 8))])).all()


def test_an_embedder_opened_for_a_question_gives_the_same_vectors(lake: Lake) -> None:
    model = lake.embedder()
    kept, opened = load_embedder(lake.uri, model), open_embedder(lake.uri, "tiny")
    pictures = [Image.new("RGB", (30, 20), color) for color in ("red", "olive")]
    np.testing.assert_allclose(opened.embed_images(pictures), kept.embed_images(pictures), atol=1e-6)
    np.testing.assert_allclose(opened.embed_texts(["red"]), kept.embed_texts(["red"]), atol=1e-6)
    assert (opened.model, opened.size) == (kept.model, kept.size)


# ---- kept while the process is warm -------------------------------------------------------------------------------


def test_a_loaded_version_is_kept_and_a_new_one_loaded(lake: Lake) -> None:
    first = load_bundle(lake.uri, lake.embedder(), 1)
    model = lake.embedder(source={"origin": "retrained"})
    assert load_bundle(lake.uri, first.model, 1) is first
    assert load_bundle(lake.uri, "tiny", 1).model == model != first.model


def test_only_a_few_models_are_kept(lake: Lake) -> None:
    kept = load_bundle(lake.uri, lake.embedder("kept"), 1)
    for index in range(bundles._KEPT - 1):
        load_bundle(lake.uri, lake.embedder(f"other-{index}"), 1)
    assert load_bundle(lake.uri, kept.model, 1) is kept
    for index in range(bundles._KEPT):
        load_bundle(lake.uri, lake.embedder(f"more-{index}"), 1)
    assert load_bundle(lake.uri, kept.model, 1) is not kept


def test_of_large_models_only_the_latest_is_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_KEPT_BYTES", len(image_graph()) + 1)
    first = load_bundle(lake.uri, lake.embedder("first"), 1)
    second = load_bundle(lake.uri, lake.embedder("second"), 1)
    assert load_bundle(lake.uri, second.model, 1) is second
    assert load_bundle(lake.uri, first.model, 1) is not first


def test_another_kind_is_refused(lake: Lake) -> None:
    lake.embedder()
    lake.classifier("colors", image_graph(WEIGHTS[:, :3]), [image_input()], kind="image_classifier")
    assert isinstance(load_bundle(lake.uri, "tiny", 1), Embedder)
    assert isinstance(load_bundle(lake.uri, "colors", 1), Classifier)
    with pytest.raises(BadBundle, match="where a classifier is needed"):
        load_classifier(lake.uri, "tiny", 1)
    with pytest.raises(BadBundle, match="where an embedder is needed"):
        load_embedder(lake.uri, "colors", 1)


# ---- what is refused ----------------------------------------------------------------------------------------------


def test_a_bundle_that_is_not_there(lake: Lake) -> None:
    assert "there is no bundle here" in refused(lake, "absent")


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", ".hidden"])
def test_a_name_that_leaves_the_folder(lake: Lake, name: str) -> None:
    with pytest.raises(BadRequest):
        load_bundle(lake.uri, name)


def test_another_version_than_asked_for(lake: Lake) -> None:
    lake.embedder()
    assert "changed during the run" in refused(lake, "tiny@000000000000")


def test_a_damaged_image_tower(lake: Lake) -> None:
    model = damaged(lake, "image.onnx")
    assert "image.onnx: its SHA-256" in refused(lake, model)
    embedder = open_embedder(lake.uri, model)
    with pytest.raises(BadBundle, match=r"image\.onnx: its SHA-256"):
        embedder.embed_images([Image.new("RGB", (8, 8))])
    assert len(embedder.embed_texts(["red"])) == 1, "texts need none of it"


@pytest.mark.parametrize("file", ["text.onnx", "tokenizer.json"])
@pytest.mark.parametrize("load", [load_embedder, open_embedder])
def test_a_damaged_text_tower(lake: Lake, file: str, load: Callable[[str, str], Embedder]) -> None:
    embedder = load(lake.uri, damaged(lake, file))
    assert len(embedder.embed_images([Image.new("RGB", (8, 8))])) == 1, "images need none of it"
    with pytest.raises(BadBundle, match=f"{file}: its SHA-256"):
        embedder.embed_texts(["red"])


def test_a_missing_file(lake: Lake) -> None:
    lake.embedder()
    (lake.folder / "models" / "tiny" / "text.onnx").unlink()
    assert "files are missing: ['text.onnx']" in refused(lake)


@pytest.mark.parametrize("name", ["notes.txt", "deep/er.bin"])
def test_a_file_too_many(lake: Lake, name: str) -> None:
    lake.embedder()
    path = lake.folder / "models" / "tiny" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("?")
    assert f"does not list: ['{name}']" in refused(lake)


def test_another_name_than_the_folders(lake: Lake) -> None:
    lake.embedder("other")
    (lake.folder / "models" / "other").rename(lake.folder / "models" / "tiny")
    assert "the name is 'other'" in refused(lake)


def test_a_text_tower_damaged_after_loading_is_never_used(lake: Lake) -> None:
    embedder = load_embedder(lake.uri, lake.embedder(), 1)
    (lake.folder / "models" / "tiny" / "text.onnx").write_bytes(b"?")
    with pytest.raises(BadBundle, match="SHA-256"):
        embedder.embed_texts(["red"])


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b'{"openapi": "3.0"}', b'{"format": 1}', b"{" * 5_000])
def test_foreign_json(data: bytes) -> None:
    with pytest.raises(BadBundle, match=r"here: .*docs/bundles\.md"):
        parse(data, "here")


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "format": (lambda m: m.update(format=2), "format"),
    "kind": (lambda m: m.update(kind="detector"), "kind"),
    "unknown field": (lambda m: m.update(code="import os"), "unknown field `code`"),
    "unknown field of an input": (lambda m: m["inputs"][0].update(scale=2), "unknown field `scale`"),
    "unknown field of preprocessing": (lambda m: m["inputs"][0]["preprocessing"].update(x=2), "unknown field `x`"),
    "input type": (lambda m: m["inputs"][0].update(type="audio"), "audio"),
    "no inputs": (lambda m: m.update(inputs=[]), "inputs"),
    "two images": (lambda m: m.update(inputs=m["inputs"] * 2), "more than one image input"),
    "std zero": (lambda m: m["inputs"][0]["preprocessing"].update(std=[0, 1, 1]), "std"),
    "width zero": (lambda m: m["inputs"][0]["preprocessing"].update(width=0), "width"),
    "huge width": (lambda m: m["inputs"][0]["preprocessing"].update(width=10**6), "width"),
    "background": (lambda m: m["inputs"][0]["preprocessing"].update(background=[0, 0, 256]), "background"),
    "crop": (lambda m: m["inputs"][0]["preprocessing"].update(crop=1.5), "crop"),
    "several images": (lambda m: m["inputs"][0].update(max_images=2), "exactly one input"),
    "path as file": (lambda m: m.update(graph="../../etc/passwd"), "graph"),
    "graph not listed": (lambda m: m["files"].pop("image.onnx"), r"does not list \['image.onnx'\]"),
    "tokenizer not listed": (lambda m: m["files"].pop("tokenizer.json"), r"does not list \['tokenizer.json'\]"),
    "lists itself": (lambda m: m["files"].update({"bundle.json": "0" * 64}), "itself"),
    "digest": (lambda m: m["files"].update({"image.onnx": "abc"}), "files"),
    "dimensions": (lambda m: m.pop("dimensions"), "without dimensions"),
    "embedder with labels": (lambda m: m.update(labels=["a"]), "labels"),
    "embedder with softmax": (lambda m: m["output"].update(activation="softmax"), "none or normalize"),
    "tower with column": (lambda m: m["text"]["input"].update(column="name"), "column"),
    "tower with columns": (lambda m: m["text"]["input"].update(sequence={"columns": ["a"], "end": 1}), "column"),
    "pixels": (lambda m: m["inputs"][0]["preprocessing"].update(pixels="raw"), "pixels"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_that_does_not_fit_the_format(lake: Lake, change: str) -> None:
    lake.embedder()
    act, message = CHANGES[change]
    rewrite(lake, act)
    with pytest.raises(BadBundle, match=message):
        open_folder(lake.uri, "tiny")


def with_text(**changes: Any) -> Callable[[dict[str, Any]], object]:
    text = {"type": "text", "tensor": "t", "tokenizer": "model.onnx", "length": 9, "pad": 0}
    sequence = {"columns": ["a", "b"], "end": 1, "start": 0, **changes.pop("sequence", {})}
    return lambda manifest: manifest["inputs"].append({**text, "sequence": sequence, **changes})


def with_categories(*categories: str, compare: str) -> Callable[[dict[str, Any]], object]:
    codes = {"categories": categories, "unknown": 0, "missing": 0}
    return lambda manifest: manifest["inputs"].append(
        {"type": "categorical", "tensor": "c", "column": "size", "compare": compare, **codes}
    )


CLASSIFIER_CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no problem": (lambda m: m.pop("problem"), "without problem"),
    "dimensions": (lambda m: m.update(dimensions=3), "dimensions"),
    "normalize": (lambda m: m["output"].update(activation="normalize"), "softmax"),
    "labels repeat": (lambda m: m.update(labels=["a", "a", "b"]), "labels repeat"),
    "labels of a regression": (lambda m: m.update(problem="regression"), "3 labels for the problem regression"),
    "labels of a binary": (lambda m: m.update(problem="binary"), "3 labels for the problem binary"),
    "one class": (lambda m: m.update(labels=["a"]), "1 labels for the problem multiclass"),
    "a tensor twice": (
        lambda m: m["inputs"].append(
            {"type": "categorical", "tensor": "image", "column": "c", "categories": [], "unknown": 0, "missing": 0}
        ),
        r"more than one input for \['image'\]",
    ),
    "a tensor and its count": (
        lambda m: m["inputs"][0].update(count_tensor="image"),
        r"more than one input for \['image'\]",
    ),
    "text without column": (
        lambda m: m["inputs"].append({"type": "text", "tensor": "t", "tokenizer": "model.onnx", "length": 1, "pad": 0}),
        "without its column",
    ),
    "text with both": (with_text(column="a"), "both a column and a sequence"),
    "sequence of no column": (with_text(sequence={"columns": []}), "columns"),
    "sequence without room": (with_text(length=3), "a sequence of 3 tokens, of which 3"),
    "sequence without an end": (with_text(sequence={"end": None}), "end"),
    "token below zero": (with_text(sequence={"start": -1}), "start"),
    "token of no int32": (with_text(sequence={"end": 1 << 31}), "end"),
    "no segments": (with_text(sequence={"segments": 0}), "segments"),
    "segments over tokens": (with_text(sequence={"segment_tensor": "t"}), r"more than one input for \['t'\]"),
    "padding": (with_text(padding="widest"), "padding"),
    "numbers that are none": (with_categories("1", "one", compare="number"), "'size' are no numbers"),
    "one number twice": (with_categories("1", "1.0", compare="number"), "'size' are no numbers that all differ"),
    "booleans that are none": (with_categories("yes", "true", compare="boolean"), "'size' are no booleans"),
    "comparison": (with_categories("a", compare="colour"), "compare"),
}


@pytest.mark.parametrize("change", CLASSIFIER_CHANGES)
def test_a_classifiers_manifest_that_does_not_fit(lake: Lake, change: str) -> None:
    lake.classifier("tiny", image_graph(WEIGHTS[:, :3]), [image_input()])
    act, message = CLASSIFIER_CHANGES[change]
    rewrite(lake, act)
    with pytest.raises(BadBundle, match=message):
        open_folder(lake.uri, "tiny")


def test_every_struct_of_the_format_refuses_unknown_fields() -> None:
    def structs(kind: Any) -> set[Any]:
        found = {kind} if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else set()
        inner = [field.type for field in msgspec.structs.fields(kind)] if found else getattr(kind, "__args__", ())
        return found.union(*(structs(each) for each in inner))

    kinds = structs(Manifest)
    assert len(kinds) == 11
    assert all(kind.__struct_config__.forbid_unknown_fields and kind.__struct_config__.frozen for kind in kinds)


# ---- graphs that are not what the manifest says -------------------------------------------------------------------


def embedder_of(lake: Lake, graph: bytes, **changes: Any) -> str:
    return lake.embedder(files={"image.onnx": graph}, text=None, **changes)


def test_bytes_that_are_no_graph(lake: Lake) -> None:
    embedder_of(lake, b"not a graph")
    assert "ONNX Runtime does not load the graph" in refused(lake)


def test_an_input_of_another_name(lake: Lake) -> None:
    embedder_of(lake, image_graph(), inputs=[image_input(tensor="pixels")])
    assert "declares the inputs ['pixels'], the graph takes ['image']" in refused(lake)


def test_an_input_of_another_size(lake: Lake) -> None:
    embedder_of(lake, image_graph(), inputs=[image_input(preprocessing=preprocessing(width=16))])
    assert "not float32 ['n', 3, 8, 16]" in refused(lake)


def test_an_input_of_another_type(lake: Lake) -> None:
    files = {"image.onnx": image_graph(), "text.onnx": image_graph(), "tokenizer.json": tokenizer()}
    tower = {
        "graph": "text.onnx",
        "input": {"type": "text", "tensor": "image", "tokenizer": "tokenizer.json", "length": 4, "pad": 0},
        "output": {"tensor": "answer", "activation": "none"},
    }
    embedder = load_embedder(lake.uri, lake.embedder(files=files, text=tower), 1)
    with pytest.raises(BadBundle, match="not int64"):
        embedder.embed_texts(["red"])


def test_a_graph_of_one_example_at_a_time(lake: Lake) -> None:
    model = onnx.load_from_string(image_graph())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    embedder_of(lake, model.SerializeToString())
    assert "the graph's input 'image'" in refused(lake)


def test_an_output_of_another_name(lake: Lake) -> None:
    embedder_of(lake, image_graph(), output={"tensor": "logits", "activation": "none"})
    assert "no output 'logits', only ['answer']" in refused(lake)


def test_vectors_of_another_length(lake: Lake) -> None:
    embedder = load_embedder(lake.uri, embedder_of(lake, image_graph(), dimensions=5), 1)
    with pytest.raises(BadBundle, match=r"answered \[1, 4\], not \[1, 5\]"):
        embedder.embed_images([Image.new("RGB", (8, 8))])


def test_only_the_manifest_and_the_listing_are_read_to_name_a_model(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lake.embedder()
    read: list[str] = []
    original = storage.read
    monkeypatch.setattr(storage, "read", lambda uri: (read.append(uri), original(uri))[1])
    assert open_folder(lake.uri, "tiny").model == model
    assert {uri.rpartition("/")[2] for uri in read} == {"bundle.json"}
