"""Classify: predictions equal to numpy's, whatever is missing as the bundle says, nobody silently gone."""

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from pixlake import storage
from pixlake.errors import BadBundle, MissingObject
from pixlake.schemas import PREDICTIONS
from pixlake.steps.classify import classify
from tests.builders.tiny import (
    MEAN,
    SIDE,
    STD,
    BundleLake,
    Inputs,
    encode,
    graph,
    image_graph,
    image_input,
    tokenizer,
)

LABELS = ["red", "green", "blue"]
IMAGE_WEIGHTS = np.array([[1, 0, -1], [0, 1, 0.5], [0.25, 0, 1]], dtype=np.float32)
NUMBER_WEIGHTS = np.array([[0.1, -0.1, 0], [0, 0.2, 0.3]], dtype=np.float32)
KIND_WEIGHTS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, 2]], dtype=np.float32)
WORD_WEIGHTS = np.arange(18, dtype=np.float32).reshape(6, 3) / 9
NUMBERS = {
    "type": "numerical",
    "tensor": "numbers",
    "columns": [
        {"name": "age", "fill": 4.0, "mean": 2.0, "scale": 2.0},
        {"name": "fee", "fill": 0.0, "mean": 0.0, "scale": 1.0},
    ],
}
KIND = {
    "type": "categorical",
    "tensor": "kind",
    "column": "kind",
    "categories": ["cat", "dog"],
    "unknown": 2,
    "missing": 3,
}
NAME = {"type": "text", "tensor": "tokens", "tokenizer": "tokenizer.json", "length": 4, "pad": 0, "column": "name"}
RECORDS: dict[str, dict[str, str | None]] = {
    "01": {"age": "6", "fee": "1.5", "kind": "cat", "name": "red", "other": "x"},
    "02": {"age": None, "fee": "", "kind": "horse", "name": None},
    "03": {"kind": None, "name": "green blue square red red"},
    "04": {},
}


def tabular_graph() -> bytes:
    nodes = [
        helper.make_node("MatMul", ["numbers", "number_weights"], ["a"]),
        helper.make_node("Gather", ["kind_weights", "kind"], ["b"]),
        helper.make_node("Gather", ["word_weights", "tokens"], ["words"]),
        helper.make_node("ReduceMean", ["words"], ["c"], axes=[1], keepdims=0),
        helper.make_node("Add", ["a", "b"], ["ab"]),
        helper.make_node("Add", ["ab", "c"], ["answer"]),
    ]
    inputs: Inputs = {
        "numbers": (TensorProto.FLOAT, ["n", 2]),
        "kind": (TensorProto.INT64, ["n"]),
        "tokens": (TensorProto.INT64, ["n", 4]),
    }
    weights = {"number_weights": NUMBER_WEIGHTS, "kind_weights": KIND_WEIGHTS, "word_weights": WORD_WEIGHTS}
    return graph(nodes, inputs, "answer", weights)


def fusion_graph(images: int) -> bytes:
    """The images' channel means, summed and divided by their count, and the kind."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["pooled"], axes=[3, 4], keepdims=0),
        helper.make_node("ReduceSum", ["pooled", "axis"], ["summed"], keepdims=0),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Max", ["number", "one"], ["divisor"]),
        helper.make_node("Unsqueeze", ["divisor", "axis"], ["column"]),
        helper.make_node("Div", ["summed", "column"], ["mean"]),
        helper.make_node("MatMul", ["mean", "image_weights"], ["a"]),
        helper.make_node("Gather", ["kind_weights", "kind"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["answer"]),
    ]
    inputs: Inputs = {
        "image": (TensorProto.FLOAT, ["n", images, 3, SIDE, SIDE]),
        "count": (TensorProto.INT64, ["n"]),
        "kind": (TensorProto.INT64, ["n"]),
    }
    weights = {
        "image_weights": IMAGE_WEIGHTS,
        "kind_weights": KIND_WEIGHTS,
        "axis": np.array([1], dtype=np.int64),
        "one": np.array(1, dtype=np.float32),
    }
    return graph(nodes, inputs, "answer", weights)


def softmax(values: NDArray[Any]) -> NDArray[np.float64]:
    powers = np.exp(np.asarray(values, dtype=np.float64))
    shares: NDArray[np.float64] = powers / powers.sum()
    return shares


def tabular_answers() -> list[NDArray[np.float64]]:
    """What the records above give, written out by hand."""
    numbers = [[2, 1.5], [1, 0], [1, 0], [1, 0]]
    kinds = [0, 2, 3, 3]
    words = [[2, 0, 0, 0], [0, 0, 0, 0], [3, 4, 5, 2], [0, 0, 0, 0]]
    return [
        softmax(np.array(n) @ NUMBER_WEIGHTS + KIND_WEIGHTS[k] + WORD_WEIGHTS[w].mean(axis=0))
        for n, k, w in zip(numbers, kinds, words, strict=True)
    ]


def tabular_model(bundle_lake: BundleLake) -> str:
    return bundle_lake.classifier("tabular", tabular_graph(), [NUMBERS, KIND, NAME], {"tokenizer.json": tokenizer()})


def fusion_model(bundle_lake: BundleLake, images: int = 2, missing: str = "zero") -> str:
    declared = image_input(max_images=images, count_tensor="count", missing=missing)
    return bundle_lake.classifier("fusion", fusion_graph(images), [declared, KIND])


def record(
    record_id: str | None, attributes: dict[str, str | None], *images: str, bundle_lake: BundleLake
) -> dict[str, Any]:
    uris = [f"file://{bundle_lake.folder}/images/pets/{image}" for image in images]
    return {
        "record_id": record_id,
        "image_paths": list(images),
        "image_uris": uris,
        "attributes": list(attributes.items()),
    }


def color_png(*color: int) -> bytes:
    return encode(Image.new("RGB", (SIDE, SIDE), color))


def color_term(*colors: tuple[int, int, int]) -> NDArray[np.float64]:
    means = [(np.array(color) / 255 - MEAN) / STD for color in colors]
    term: NDArray[np.float64] = np.mean(means, axis=0) @ IMAGE_WEIGHTS.astype(np.float64)
    return term


def answers(part: Any) -> NDArray[np.float64]:
    rows = [dict(row) for row in part["probabilities"].to_pylist()]
    assert all(list(row) == LABELS for row in rows)
    return np.array([list(row.values()) for row in rows])


def test_records_without_images_are_predicted_by_their_columns(bundle_lake: BundleLake) -> None:
    model = tabular_model(bundle_lake)
    rows = [record(record_id, attributes, bundle_lake=bundle_lake) for record_id, attributes in RECORDS.items()]

    answer = classify(bundle_lake.request("classify", model, rows, "tabular"), bundle_lake.settings)

    part = bundle_lake.part("predictions", "classify-0")
    assert (answer.rows, answer.rejected, part.schema.equals(PREDICTIONS.columns)) == (4, 0, True)
    expected = np.array(tabular_answers())
    np.testing.assert_allclose(answers(part), expected, atol=1e-6)
    assert part["label"].to_pylist() == [LABELS[index] for index in expected.argmax(axis=1)]
    np.testing.assert_allclose(part["score"].to_pylist(), expected.max(axis=1), atol=1e-6)
    assert part["record_id"].to_pylist() == list(RECORDS)
    assert set(part["image_path"].to_pylist()) == set(part["value"].to_pylist()) == {None}
    assert (set(part["modality"].to_pylist()), set(part["model"].to_pylist())) == ({"tabular"}, {model})
    assert part["processed_at"][0].as_py().isoformat() == "2026-01-02T03:05:00+00:00"


def test_records_with_several_images_are_predicted_by_all_that_the_model_takes(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    bundle_lake.put("b.png", color_png(0, 255, 0))
    bundle_lake.put("c.png", color_png(0, 0, 255))
    rows = [
        record("1", {"kind": "cat"}, "a.png", bundle_lake=bundle_lake),
        record("2", {"kind": "dog"}, "a.png", "b.png", bundle_lake=bundle_lake),
        record("3", {"kind": "dog"}, "b.png", "c.png", "a.png", bundle_lake=bundle_lake),
    ]

    classify(bundle_lake.request("classify", fusion_model(bundle_lake), rows, "image+tabular"), bundle_lake.settings)

    part = bundle_lake.part("predictions", "classify-0")
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    expected = [
        softmax(color_term(red) + KIND_WEIGHTS[0]),
        softmax(color_term(red, green) + KIND_WEIGHTS[1]),
        softmax(color_term(green, blue) + KIND_WEIGHTS[1]),
    ]
    np.testing.assert_allclose(answers(part), expected, atol=1e-6)
    assert set(part["modality"].to_pylist()) == {"image+tabular"}


def test_a_later_image_stands_in_for_a_broken_one(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", b"broken")
    bundle_lake.put("b.png", color_png(0, 255, 0))
    bundle_lake.put("c.png", color_png(0, 0, 255))
    rows = [record("1", {"kind": "cat"}, "a.png", "b.png", "c.png", bundle_lake=bundle_lake)]

    answer = classify(
        bundle_lake.request("classify", fusion_model(bundle_lake), rows, "image+tabular"), bundle_lake.settings
    )

    expected = softmax(color_term((0, 255, 0), (0, 0, 255)) + KIND_WEIGHTS[0])
    np.testing.assert_allclose(answers(bundle_lake.part("predictions", "classify-0")), [expected], atol=1e-6)
    assert answer.rejected == 1
    assert [(each.source, each.stage, each.reason) for each in bundle_lake.rejects("classify")] == [
        ("a.png", "classify", "not_an_image")
    ]


def test_a_record_of_broken_images_is_predicted_from_the_rest_where_the_model_takes_that(
    bundle_lake: BundleLake,
) -> None:
    bundle_lake.put("a.png", b"")
    rows = [record("1", {"kind": "dog"}, "a.png", bundle_lake=bundle_lake)]

    answer = classify(
        bundle_lake.request("classify", fusion_model(bundle_lake), rows, "image+tabular"), bundle_lake.settings
    )

    np.testing.assert_allclose(
        answers(bundle_lake.part("predictions", "classify-0")), [softmax(KIND_WEIGHTS[1])], atol=1e-6
    )
    assert (answer.rows, [each.reason for each in bundle_lake.rejects("classify")]) == (1, ["empty"])
    assert bundle_lake.part("predictions", "classify-0")["modality"].to_pylist() == ["tabular"]


def test_a_record_of_broken_images_is_a_reject_where_the_model_needs_one(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", b"")
    bundle_lake.put("b.png", color_png(1, 2, 3))
    rows = [
        record("1", {"kind": "dog"}, "a.png", bundle_lake=bundle_lake),
        record("2", {"kind": "dog"}, "b.png", bundle_lake=bundle_lake),
        record("3", {"kind": "dog"}, bundle_lake=bundle_lake),
    ]
    model = fusion_model(bundle_lake, missing="refuse")

    answer = classify(bundle_lake.request("classify", model, rows, "image+tabular"), bundle_lake.settings)

    assert (answer.rows, bundle_lake.part("predictions", "classify-0")["record_id"].to_pylist()) == (1, ["2"])
    rejected = [(each.source, each.reason) for each in bundle_lake.rejects("classify")]
    assert rejected == [("a.png", "empty"), ("1", "missing_image"), ("3", "missing_image")]
    assert answer.rejected == len(rejected)


def orphan_model(bundle_lake: BundleLake, **changes: Any) -> str:
    weights = changes.pop("weights", IMAGE_WEIGHTS)
    changes = {"kind": "image_classifier", **changes}
    return bundle_lake.classifier("colors", image_graph(weights), [image_input(missing="zero")], **changes)


def orphans(bundle_lake: BundleLake, *names: str) -> list[dict[str, Any]]:
    return [record(None, {}, name, bundle_lake=bundle_lake) for name in names]


def test_orphans_are_keyed_by_their_path_and_a_broken_one_is_a_reject(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    bundle_lake.put("b.png", b"broken")
    bundle_lake.put("c.png", color_png(0, 0, 255))
    rows = orphans(bundle_lake, "c.png", "b.png", "a.png")

    answer = classify(bundle_lake.request("classify", orphan_model(bundle_lake), rows), bundle_lake.settings)

    part = bundle_lake.part("predictions", "classify-0")
    assert (answer.rows, answer.rejected) == (2, 1)
    assert part["image_path"].to_pylist() == ["a.png", "c.png"]
    assert part["record_id"].to_pylist() == [None, None]
    expected = [softmax(color_term((255, 0, 0))), softmax(color_term((0, 0, 255)))]
    np.testing.assert_allclose(answers(part), expected, atol=1e-6)
    assert [(each.source, each.reason) for each in bundle_lake.rejects("classify")] == [("b.png", "not_an_image")]


def test_one_column_of_a_binary_model_is_the_second_labels(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    weights = IMAGE_WEIGHTS[:, :1]
    output = {"tensor": "answer", "activation": "sigmoid"}
    model = orphan_model(bundle_lake, weights=weights, problem="binary", labels=["no", "yes"], output=output)

    classify(bundle_lake.request("classify", model, orphans(bundle_lake, "a.png")), bundle_lake.settings)

    yes = 1 / (1 + np.exp(-color_term((255, 0, 0))[0]))
    (row,) = bundle_lake.part("predictions", "classify-0").to_pylist()
    assert row["label"] == "yes"
    assert dict(row["probabilities"]) == pytest.approx({"no": 1 - yes, "yes": yes})
    assert row["score"] == pytest.approx(yes)


def test_a_regression_has_a_value_and_no_label(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    model = orphan_model(
        bundle_lake,
        weights=IMAGE_WEIGHTS[:, :1],
        problem="regression",
        labels=[],
        output={"tensor": "answer", "activation": "none"},
        regression={"mean": 100.0, "scale": 10.0},
    )

    classify(bundle_lake.request("classify", model, orphans(bundle_lake, "a.png")), bundle_lake.settings)

    (row,) = bundle_lake.part("predictions", "classify-0").to_pylist()
    assert row["value"] == pytest.approx(color_term((255, 0, 0))[0] * 10 + 100)
    assert row["label"] is row["score"] is row["probabilities"] is None


def test_a_prediction_of_nan_is_a_reject(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    weights = np.full((3, 3), np.nan, dtype=np.float32)
    answer = classify(
        bundle_lake.request("classify", orphan_model(bundle_lake, weights=weights), orphans(bundle_lake, "a.png")),
        bundle_lake.settings,
    )
    assert (answer.rows, [each.reason for each in bundle_lake.rejects("classify")]) == (0, ["bad_prediction"])


def test_a_graph_of_other_columns_than_labels_is_refused(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    model = orphan_model(bundle_lake, labels=["a", "b"])
    with pytest.raises(BadBundle, match="3 columns for 2 labels"):
        classify(bundle_lake.request("classify", model, orphans(bundle_lake, "a.png")), bundle_lake.settings)


@pytest.mark.parametrize("modality", ["tabular", "image+tabular"])
def test_an_image_classifier_does_not_predict_records(bundle_lake: BundleLake, modality: str) -> None:
    with pytest.raises(BadBundle, match="cannot predict"):
        classify(bundle_lake.request("classify", orphan_model(bundle_lake), [], modality), bundle_lake.settings)


def test_a_record_classifier_does_not_predict_orphans(bundle_lake: BundleLake) -> None:
    with pytest.raises(BadBundle, match="cannot predict"):
        classify(bundle_lake.request("classify", tabular_model(bundle_lake), [], "image"), bundle_lake.settings)


def test_a_model_without_an_image_input_reads_none(bundle_lake: BundleLake) -> None:
    rows = [record("01", RECORDS["01"], "never-put.png", bundle_lake=bundle_lake)]
    answer = classify(
        bundle_lake.request("classify", tabular_model(bundle_lake), rows, "image+tabular"), bundle_lake.settings
    )
    assert (answer.rows, answer.rejected) == (1, 0)


def test_an_image_missing_from_the_lake_raises(bundle_lake: BundleLake) -> None:
    rows = [record("1", {}, "lost.png", bundle_lake=bundle_lake)]
    with pytest.raises(MissingObject, match=r"lost\.png"):
        classify(
            bundle_lake.request("classify", fusion_model(bundle_lake), rows, "image+tabular"), bundle_lake.settings
        )


def test_rows_are_sorted_by_their_key(bundle_lake: BundleLake) -> None:
    rows = [record(record_id, {}, bundle_lake=bundle_lake) for record_id in ("b", "10", "a", "2", "é")]
    classify(bundle_lake.request("classify", tabular_model(bundle_lake), rows, "tabular"), bundle_lake.settings)
    assert bundle_lake.part("predictions", "classify-0")["record_id"].to_pylist() == ["10", "2", "a", "b", "é"]


def test_a_rerun_writes_the_same_bytes(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", color_png(255, 0, 0))
    bundle_lake.put("b.png", b"broken")
    rows = [
        record("1", {"kind": "cat"}, "a.png", bundle_lake=bundle_lake),
        record("2", {}, "b.png", bundle_lake=bundle_lake),
    ]
    request = bundle_lake.request("classify", fusion_model(bundle_lake), rows, "image+tabular")
    uris = [bundle_lake.work.part("predictions", "classify-0"), bundle_lake.work.rejects("classify", "classify-0")]
    classify(request, bundle_lake.settings)
    first = [storage.read(uri) for uri in uris]
    classify(msgspec.structs.replace(request), bundle_lake.settings)
    assert [storage.read(uri) for uri in uris] == first


def test_an_empty_batch_leaves_an_empty_part(bundle_lake: BundleLake) -> None:
    answer = classify(bundle_lake.request("classify", tabular_model(bundle_lake), [], "tabular"), bundle_lake.settings)
    assert (answer.rows, bundle_lake.part("predictions", "classify-0").num_rows) == (0, 0)
