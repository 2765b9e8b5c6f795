"""A `bundle.json` says what the format allows, or is refused with the field at fault."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import Manifest
from pixlake.bundles.parsing import parse
from pixlake.errors import BadBundle
from tests.builders.tiny import (
    WEIGHTS,
    BundleLake,
    image_graph,
    image_input,
)


def rewrite(bundle_lake: BundleLake, change: Callable[[dict[str, Any]], object], name: str = "tiny") -> None:
    """Change `bundle.json` behind everybody's back."""
    path = bundle_lake.folder / "models" / name / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b'{"openapi": "3.0"}', b'{"format": 1}', b"{" * 5_000])
def test_json_of_another_format_is_refused(data: bytes) -> None:
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
    "embedder with ids of labels": (lambda m: m.update(label_ids=["n1"]), "labels"),
    "embedder with softmax": (lambda m: m["output"].update(activation="softmax"), "none or normalize"),
    "tower with column": (lambda m: m["text"]["input"].update(column="name"), "column"),
    "tower with columns": (lambda m: m["text"]["input"].update(sequence={"columns": ["a"], "end": 1}), "column"),
    "pixels": (lambda m: m["inputs"][0]["preprocessing"].update(pixels="raw"), "pixels"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_that_does_not_fit_the_format_is_refused_by_field(bundle_lake: BundleLake, change: str) -> None:
    bundle_lake.embedder()
    act, message = CHANGES[change]
    rewrite(bundle_lake, act)
    with pytest.raises(BadBundle, match=message):
        open_folder(bundle_lake.uri, "tiny")


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
    "ids of other labels": (lambda m: m.update(label_ids=["n1", "n2"]), "2 label_ids for 3 labels"),
    "ids repeat": (lambda m: m.update(label_ids=["n1", "n2", "n1"]), "label_ids repeat"),
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
def test_a_classifiers_manifest_that_does_not_fit_is_refused_by_field(bundle_lake: BundleLake, change: str) -> None:
    bundle_lake.classifier("tiny", image_graph(WEIGHTS[:, :3]), [image_input()])
    act, message = CLASSIFIER_CHANGES[change]
    rewrite(bundle_lake, act)
    with pytest.raises(BadBundle, match=message):
        open_folder(bundle_lake.uri, "tiny")


def test_every_struct_of_the_format_refuses_unknown_fields() -> None:
    def structs(kind: Any) -> set[Any]:
        found = {kind} if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else set()
        inner = [field.type for field in msgspec.structs.fields(kind)] if found else getattr(kind, "__args__", ())
        return found.union(*(structs(each) for each in inner))

    kinds = structs(Manifest)
    assert len(kinds) == 11
    assert all(kind.__struct_config__.forbid_unknown_fields and kind.__struct_config__.frozen for kind in kinds)
