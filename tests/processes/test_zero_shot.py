"""A classifier out of words, held against numpy from the pixels and the token vectors on."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from click.testing import Result
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data
from PIL import Image

from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import Preprocessing
from pixlake.images.preprocessing import tensor
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier
from pixlake_models.exporting.pictures import draw_scene, save_picture
from pixlake_models.zeroshot import classifier as zero_shot
from pixlake_models.zeroshot import graph as zero_shot_graph
from tests.builders import tiny
from tests.builders.commands import run

TEMPLATES = ("{}", "a {} square")
WORDS = {"rot": ["red"], "grün": ["green", "green green"], "blau": ["blue"]}
COLORS = [(255, 0, 0), (10, 200, 90), (0, 0, 0), (255, 255, 255)]


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small pictures prove each classifier; tests/workflow/test_sample.py has all of them."""
    scenes = [draw_scene(120, 90, 1), *(Image.new("RGB", (60, 40), color) for color in COLORS)]
    made = [save_picture(kind, scene, kind) for scene in scenes for kind in ("PNG", "JPEG", "WEBP")]
    monkeypatch.setattr(zero_shot, "make_pictures", lambda: made)


@pytest.fixture
def bundle_lake(tmp_path: Path) -> tiny.BundleLake:
    """A lake with an embedder, and the labels in `words.json`."""
    (tmp_path / "words.json").write_text(json.dumps(WORDS))
    lake = tiny.BundleLake(tmp_path / "lake")
    lake.embedder("tiny")
    return lake


def make(lake: tiny.BundleLake, *options: str, embedder: str = "tiny", labels: str = "words.json") -> Result:
    """`models zero-shot`, straight into the lake, as `colors`."""
    folder = lake.folder / "models" / "colors"
    source = [embedder, "--lake", str(lake.folder), "--labels", str(lake.folder.parent / labels)]
    templates = [part for template in TEMPLATES for part in ("--template", template)]
    return run("models", "zero-shot", *source, *templates, "--output", str(folder), *options)


def predict(lake: tiny.BundleLake) -> list[Any]:
    examples = [Example(images=[pixels(color)]) for color in COLORS]
    return load_classifier(lake.uri, "colors").predict(examples)


def pixels(color: tuple[int, int, int]) -> NDArray[np.float32]:
    preprocessing = msgspec.convert(tiny.preprocessing(), Preprocessing)
    return tensor(Image.new("RGB", (9, 7), color), preprocessing)


def unit(vector: NDArray[Any]) -> NDArray[Any]:
    scaled: NDArray[Any] = vector / np.linalg.norm(vector)
    return scaled


def label_vector(texts: list[str], templates: tuple[str, ...] = TEMPLATES) -> NDArray[Any]:
    """Section 3.1.4 of CLIP's paper, by hand."""
    vectors = []
    for text, template in itertools.product(texts, templates):
        words = template.replace("{}", text).split()[:4]
        ids = [tiny.WORDS.index(word) if word in tiny.WORDS else 1 for word in words]
        vectors.append(unit(tiny.TOKEN_VECTORS[ids + [0] * (4 - len(ids))].mean(axis=0)))
    return unit(np.mean(vectors, axis=0))


def cosines(words: dict[str, list[str]] = WORDS) -> NDArray[Any]:
    images = [unit(pixels(color).mean(axis=(1, 2)) @ tiny.WEIGHTS) for color in COLORS]
    found: NDArray[Any] = np.stack(images) @ np.stack([label_vector(texts) for texts in words.values()]).T
    return found


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits)
    shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def probabilities(predictions: list[Any]) -> NDArray[Any]:
    return np.array([list(each.probabilities.values()) for each in predictions])


def test_probabilities_are_a_softmax_over_scaled_cosines(bundle_lake: tiny.BundleLake) -> None:
    done = make(bundle_lake, "--scale", "7.5")
    assert done.exit_code == 0, done.output
    predictions = predict(bundle_lake)
    assert list(predictions[0].probabilities) == ["rot", "grün", "blau"]
    expected = softmax(7.5 * cosines())
    assert np.abs(probabilities(predictions) - expected).max() < 1e-6
    assert [each.label for each in predictions] == [list(WORDS)[index] for index in expected.argmax(axis=1)]


def test_the_scale_is_the_embedders_logit_scale(bundle_lake: tiny.BundleLake) -> None:
    bundle_lake.embedder("tiny", text=text_tower(scale=3.0))
    done = make(bundle_lake)
    assert "scale" not in done.stderr
    assert np.abs(probabilities(predict(bundle_lake)) - softmax(3 * cosines())).max() < 1e-6


def test_without_a_scale_clips_is_used_and_noted(bundle_lake: tiny.BundleLake) -> None:
    done = make(bundle_lake)
    assert "it is CLIP's 100" in done.stderr
    assert np.abs(probabilities(predict(bundle_lake)) - softmax(100 * cosines())).max() < 1e-5


@pytest.mark.parametrize(("own", "options"), [((4.0, -1.5), ()), ((None, None), ("--scale", "4", "--bias", "-1.5"))])
def test_a_model_with_a_logit_bias_uses_a_sigmoid_for_each_label(
    bundle_lake: tiny.BundleLake, own: tuple[float | None, float | None], options: tuple[str, ...]
) -> None:
    bundle_lake.embedder("tiny", text=text_tower(scale=own[0], bias=own[1]))
    done = make(bundle_lake, *options)
    assert "by a sigmoid" in done.stderr
    found = probabilities(predict(bundle_lake))
    assert np.abs(found - 1 / (1 + np.exp(1.5 - 4 * cosines()))).max() < 1e-6
    assert np.abs(found.sum(axis=1) - 1).min() > 0.01


def test_two_labels_make_a_binary_classifier(bundle_lake: tiny.BundleLake) -> None:
    (bundle_lake.folder.parent / "two.txt").write_text("red\nblue\n")
    assert make(bundle_lake, "--scale", "5", labels="two.txt").exit_code == 0
    assert open_folder(bundle_lake.uri, "colors").manifest.problem == "binary"
    expected = softmax(5 * cosines({"red": ["red"], "blue": ["blue"]}))
    assert np.abs(probabilities(predict(bundle_lake)) - expected).max() < 1e-6


def test_jpegs_are_decoded_as_for_the_embedder(bundle_lake: tiny.BundleLake) -> None:
    bundle_lake.embedder("tiny", inputs=[tiny.image_input(preprocessing=tiny.preprocessing(pixels="whole"))])
    assert make(bundle_lake).exit_code == 0
    declared = open_folder(bundle_lake.uri, "colors").manifest.image_input
    assert declared
    assert declared.preprocessing.pixels == "whole"


def test_external_tensors_are_copied_with_the_graph(bundle_lake: tiny.BundleLake) -> None:
    graph, weights = keep_beside(tiny.image_graph())
    files = {"image.onnx": graph, "image.onnx.data": weights}
    rest = {"text.onnx": tiny.text_graph(), "tokenizer.json": tiny.tokenizer()}
    bundle_lake.embedder("tiny", files=files | rest)
    assert make(bundle_lake, "--scale", "2").exit_code == 0
    assert (bundle_lake.folder / "models" / "colors" / "image.onnx.data").read_bytes() == weights
    assert np.abs(probabilities(predict(bundle_lake)) - softmax(2 * cosines())).max() < 1e-6


def test_a_float16_graph_whose_names_equal_ours_is_supported(bundle_lake: tiny.BundleLake) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["zero_shot/vector"]),
        helper.make_node("Flatten", ["zero_shot/vector"], ["flat"]),
        helper.make_node("MatMul", ["flat", "zero_shot_/labels"], ["answer"]),
    ]
    image: tiny.Inputs = {"image": (TensorProto.FLOAT, ["n", 3, tiny.SIDE, tiny.SIDE])}
    model = onnx.load_from_string(tiny.graph(nodes, image, "answer", {"zero_shot_/labels": tiny.WEIGHTS}))
    model.graph.node[-1].output[0] = "exact"
    model.graph.node.append(helper.make_node("Cast", ["exact"], ["answer"], to=TensorProto.FLOAT16))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    files = {"text.onnx": tiny.text_graph(), "tokenizer.json": tiny.tokenizer()}
    bundle_lake.embedder("tiny", files={"image.onnx": model.SerializeToString(), **files})
    assert make(bundle_lake, "--scale", "2").exit_code == 0
    assert np.abs(probabilities(predict(bundle_lake)) - softmax(2 * cosines())).max() < 2e-3


def test_an_image_without_a_vector_gets_no_label(bundle_lake: tiny.BundleLake) -> None:
    weights = np.where(np.arange(3)[:, None] == 1, tiny.WEIGHTS, 0).astype(np.float32)
    files = {"text.onnx": tiny.text_graph(), "tokenizer.json": tiny.tokenizer()}
    bundle_lake.embedder("tiny", files={"image.onnx": tiny.image_graph(weights), **files})
    model = load_after(make(bundle_lake), bundle_lake)
    blank, green = model.predict([Example(images=[np.full((3, 8, 8), level, np.float32)]) for level in (0, 1)])
    assert blank is None
    assert green is not None


def test_source_and_metrics_are_in_the_bundle(bundle_lake: tiny.BundleLake) -> None:
    shown = make(bundle_lake, "--scale", "2")
    manifest = open_folder(bundle_lake.uri, "colors").manifest
    embedder = open_folder(bundle_lake.uri, "tiny").model
    assert (manifest.kind, manifest.name) == ("image_classifier", "colors")
    assert manifest.source["origin"] == "a test"
    assert (manifest.source["embedder"], manifest.source["templates"]) == (embedder, "{} | a {} square")
    assert manifest.source["logit"] == "2 * cosine"
    assert manifest.metrics["prompts"] == 8
    assert manifest.metrics["probability_difference"] <= 1e-5
    assert "probability difference" in shown.stdout
    assert shown.stdout.splitlines()[-1].startswith("colors@")


def test_an_embedder_outside_a_lake_gives_a_name_of_model_and_labels(
    bundle_lake: tiny.BundleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle_lake.folder.parent)
    monkeypatch.delenv("PIXLAKE_LAKE", raising=False)
    arguments = ("models", "zero-shot", "./lake/models/tiny", "--labels", "words.json")
    assert run(*arguments).exit_code == 0
    assert run("models", "verify", "./tiny-words").exit_code == 0
    manifest = json.loads(Path("tiny-words", "bundle.json").read_text())
    assert (manifest["name"], manifest["source"]["templates"]) == ("tiny-words", "a photo of a {}")
    assert run(*arguments).exit_code == 0  # a bundle may be made anew


def test_labels_that_the_model_cannot_tell_apart_are_reported(bundle_lake: tiny.BundleLake) -> None:
    (bundle_lake.folder.parent / "unknown.txt").write_text("red\nfjord\nblue\nglacier\n")
    done = make(bundle_lake, labels="unknown.txt")
    assert done.exit_code == 0
    assert "cannot tell these apart, by the words given: fjord, glacier" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--template", "a photo"], "no {}"),
        (["--template", "{} or {}"], "or several"),
        (["--scale", "0"], "not in the range"),
        (["--labels", "nowhere.txt"], "does not exist"),
    ],
)
def test_invalid_options_are_refused(bundle_lake: tiny.BundleLake, options: list[str], reason: str) -> None:
    done = make(bundle_lake, *options)
    assert (done.exit_code, "Traceback" in done.stderr) == (2, False)
    assert reason in done.stderr
    assert not (bundle_lake.folder / "models" / "colors").exists()


def test_an_embedder_without_texts_is_refused(bundle_lake: tiny.BundleLake) -> None:
    bundle_lake.embedder("mute", files={"image.onnx": tiny.image_graph()}, text=None)
    done = make(bundle_lake, embedder="mute")
    assert (done.exit_code, "reads no texts" in done.stderr) == (2, True)


def test_a_classifier_is_refused_as_the_embedder(bundle_lake: tiny.BundleLake) -> None:
    bundle_lake.classifier("other", tiny.image_graph(np.eye(3, dtype=np.float32)), [tiny.image_input()])
    done = make(bundle_lake, embedder="other")
    assert (done.exit_code, "reads no texts" in done.stderr) == (2, True)


def test_prompts_whose_vectors_cancel_out_are_refused(bundle_lake: tiny.BundleLake) -> None:
    model = onnx.load_from_string(tiny.text_graph())
    vectors = np.zeros_like(tiny.TOKEN_VECTORS)
    vectors[2], vectors[3], vectors[4] = 1, -1, [1, 0, 0, 0]
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(vectors, "vectors"))
    files = {"image.onnx": tiny.image_graph(), "tokenizer.json": tiny.tokenizer()}
    bundle_lake.embedder("tiny", files={**files, "text.onnx": model.SerializeToString()})
    (bundle_lake.folder.parent / "opposites.json").write_text('{"nothing": ["red", "green"], "blue": "blue"}')
    done = make(bundle_lake, "--template", "{}", labels="opposites.json")
    assert (done.exit_code, "no vector for the texts of ['nothing']" in done.stderr) == (1, True)


def test_a_classifier_that_differs_from_its_embedder_is_not_written(
    bundle_lake: tiny.BundleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append_otherwise(*arguments: Any, scale: float, bias: float) -> tuple[bytes, str]:
        return original(*arguments, scale=scale * 1.001, bias=bias)

    original = zero_shot_graph.append_labels
    monkeypatch.setattr(zero_shot, "append_labels", append_otherwise)
    done = make(bundle_lake)
    assert done.exit_code == 1
    assert "answers otherwise" in done.stderr
    assert not (bundle_lake.folder / "models" / "colors").exists()


def text_tower(**changes: Any) -> dict[str, Any]:
    declared = {"type": "text", "tensor": "tokens", "tokenizer": "tokenizer.json", "length": 4, "pad": 0}
    output = {"tensor": "answer", "activation": "normalize"}
    return {"graph": "text.onnx", "input": declared, "output": output, **changes}


def keep_beside(graph: bytes) -> tuple[bytes, bytes]:
    """The graph with its weights in `image.onnx.data`, and that file."""
    model = onnx.load_from_string(graph)
    (weights,) = model.graph.initializer
    data = weights.raw_data
    set_external_data(weights, "image.onnx.data", offset=0, length=len(data))
    weights.ClearField("raw_data")
    return model.SerializeToString(), data


def load_after(done: Result, lake: tiny.BundleLake) -> Any:
    assert done.exit_code == 0, done.output
    return load_classifier(lake.uri, "colors")
