"""Quantized variants: near to float32, smaller, measured, named for what they are; refused where they are too far."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from onnx import TensorProto

from models.tests.clip_configs import write_clip_config
from models.tests.timm_networks import NAME, write_folder
from models.tests.timm_networks import make_network as make_network_of_timm
from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.bundles.manifest import (
    ImageInput,
    Input,
    Manifest,
    NumericalColumn,
    NumericalInput,
    Output,
    Preprocessing,
)
from pixlake.errors import BadRequest, NotEqual, NotServable
from pixlake_cli.main import cli
from pixlake_models.commands.export import EXPORTERS
from pixlake_models.exporting.export import Candidate, prove_and_write
from pixlake_models.exporting.figures import Figure
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.pictures import draw_scene, make_pictures
from pixlake_models.quantizing import variants
from pixlake_models.quantizing.quantize import halve, to_int8
from pixlake_models.quantizing.variants import Probes, make_probes, quantize, read_probes

SIDE = 32
PREPROCESSING = Preprocessing(
    width=SIDE,
    height=SIDE,
    resize="shortest",
    interpolation="bicubic",
    background=(255, 255, 255),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
)
IMAGE = ImageInput("image", PREPROCESSING)


def make_network(last: int) -> torch.nn.Module:
    """Convolutions, and a product at the end, with random weights."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 32, 4, stride=4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64 * 9, last),
    )


def make_transformer() -> torch.nn.Module:
    """Products only: patches as rows of numbers."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(3 * SIDE * SIDE, 96),
        torch.nn.GELU(),
        torch.nn.LayerNorm(96),
        torch.nn.Linear(96, 24),
    )


@functools.cache
def make_graph(kind: str, last: int = 24) -> bytes:
    module = make_transformer() if kind == "products" else make_network(last)
    return export_graph(module, {"image": torch.zeros(2, 3, SIDE, SIDE)}, "answer")


def make_candidate(graph: bytes, figure: Figure | None = None, **changes: Any) -> Candidate:
    """An embedder, unless `changes` say otherwise."""
    manifest = Manifest(
        format=1,
        name="",
        kind="embedder",
        inputs=(IMAGE,),
        graph="g.onnx",
        output=Output("answer", "normalize"),
        files={},
        source={"origin": "a test", "weights": "a file and its SHA-256"},
        dimensions=24,
    )
    described = msgspec.structs.replace(manifest, **changes)
    return Candidate(described, {"g.onnx": graph}, lambda _: [figure or Figure("equal", 1.0, least=1.0)])


@pytest.fixture(scope="module")
def probes() -> Probes:
    """A few of those that the command draws."""
    return Probes(make_probes().fitted[:8], [each for each in make_pictures() if len(each.data) < 200_000])


def metrics_of(target: Path) -> dict[str, Any]:
    return read_folder(f"file://{target}").manifest.metrics


def pixels_of(folder: BundleFolder) -> str:
    declared = folder.manifest.image_input
    assert declared
    return declared.preprocessing.pixels


def run_graph(graph: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(None, {"image": images})[0]
    return answer


@pytest.mark.parametrize("kind", ["products", "convolutions"])
@pytest.mark.parametrize("variant", ["fp16", "int8"])
def test_a_variant_is_smaller_and_records_its_difference(
    tmp_path: Path, probes: Probes, kind: str, variant: Any
) -> None:
    target = tmp_path / f"tiny-{variant}"
    written = prove_and_write(quantize(make_candidate(make_graph(kind)), variant, probes, target.name), target)
    found = metrics_of(target)[variant]
    assert found["image_cosine_min"] <= found["image_cosine_p1"] <= found["image_cosine_p50"] <= 1.000001
    assert found["image_cosine_mean"] >= (0.98 if variant == "int8" else 0.99999)
    assert 0 < found["same_nearest_picture"] <= 1
    assert found["share_of_size"] < (0.4 if variant == "int8" else 0.6)
    assert "equal" not in metrics_of(target), "that is of the bundle in float32"
    times = [each for each in written.figures if each.name == "times_as_fast"]
    assert times[0].value > 0
    assert "times_as_fast" not in found, "the same model has the same version"
    source = read_folder(f"file://{target}").manifest.source
    assert source["precision"].startswith({"fp16": "float16", "int8": "integers"}[variant])
    assert source["weights"] == "a file and its SHA-256", "a variant has the same"


def test_a_classifiers_labels_are_compared(tmp_path: Path, probes: Probes) -> None:
    candidate = make_candidate(
        make_graph("convolutions", 7),
        kind="image_classifier",
        output=Output("answer", "softmax"),
        dimensions=None,
        problem="multiclass",
        labels=tuple("abcdefg"),
    )
    prove_and_write(quantize(candidate, "int8", probes, "tiny-int8"), tmp_path / "tiny-int8")
    found = metrics_of(tmp_path / "tiny-int8")["int8"]
    assert found["same_label"] >= 0.9
    assert 0 < found["probability_difference_p50"] <= found["probability_difference_max"] < 0.1


def test_the_kind_of_quantization_follows_from_the_network() -> None:
    random = np.random.default_rng(0).standard_normal((8, 3, SIDE, SIDE)).astype(np.float32)
    operators = {
        kind: {
            node.op_type for node in onnx.load_from_string(to_int8(make_graph(kind), "image", list(random))).graph.node
        }
        for kind in ("products", "convolutions")
    }
    assert "DynamicQuantizeLinear" in operators["products"], "ranges as they come"
    assert "DynamicQuantizeLinear" not in operators["convolutions"], "ranges fixed beforehand"
    assert "QuantizeLinear" in operators["convolutions"]


@pytest.mark.parametrize("kind", ["products", "convolutions"])
def test_no_weight_is_wider_than_7_bits(kind: str) -> None:
    """So that sums of two products fit into 16 bits, on processors that add them up in those."""
    random = np.random.default_rng(0).standard_normal((4, 3, SIDE, SIDE)).astype(np.float32)
    model = onnx.load_from_string(to_int8(make_graph(kind), "image", list(random)))
    integers = [
        onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == TensorProto.INT8
    ]
    weights = [each for each in integers if each.ndim > 1]
    assert weights
    assert max(int(np.abs(each.astype(int)).max()) for each in weights) <= 64


def test_half_precision_leaves_values_beyond_its_range() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 8), torch.nn.Linear(8, 2000))
    with torch.no_grad():
        module[1].weight[0, 0] = 1e6
    graph = export_graph(module, {"image": torch.zeros(2, 3, SIDE, SIDE)}, "answer")
    kinds = {each.data_type for each in onnx.load_from_string(halve(graph)).graph.initializer if each.dims[-1] > 8}
    assert kinds == {TensorProto.FLOAT, TensorProto.FLOAT16}
    images = np.random.default_rng(0).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    np.testing.assert_allclose(run_graph(halve(graph), images), run_graph(graph, images), rtol=2e-3, atol=50)


def test_a_variant_with_too_large_a_difference_is_not_written(
    tmp_path: Path, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(variants.LEAST_COSINE, "int8", 0.9999999)
    with pytest.raises(NotEqual, match=r"image_cosine_mean is 0\.9.*, not >= 1"):
        prove_and_write(
            quantize(make_candidate(make_graph("convolutions")), "int8", probes, "tiny-int8"), tmp_path / "tiny-int8"
        )
    assert not (tmp_path / "tiny-int8").exists()


def test_a_candidate_that_differs_from_its_model_is_not_quantized(tmp_path: Path, probes: Probes) -> None:
    candidate = make_candidate(make_graph("products"), Figure("cosine", 0.5, least=0.9999))
    with pytest.raises(NotEqual, match=r"tiny-fp16 before it is quantized: .* cosine is 0\.5"):
        prove_and_write(quantize(candidate, "fp16", probes, "tiny-fp16"), tmp_path / "tiny-fp16")


def test_jpegs_are_decoded_as_for_its_model(tmp_path: Path, probes: Probes) -> None:
    def measure(folder: BundleFolder) -> list[Figure]:
        whole = pixels_of(folder) == "whole"
        return [Figure("image_cosine", 1.0 if whole else 0.9994, least=0.9999, spared=1.0)]

    candidate = dataclasses.replace(make_candidate(make_graph("products")), measure=measure)
    written = prove_and_write(quantize(candidate, "fp16", probes, "tiny-fp16"), tmp_path / "tiny-fp16")
    assert written.notes[0].startswith("JPEGs are decoded whole: ")
    assert pixels_of(read_folder(f"file://{tmp_path / 'tiny-fp16'}")) == "whole"
    assert metrics_of(tmp_path / "tiny-fp16")["jpegs_decoded_smaller"] == {"image_cosine": 0.9994}


def test_a_model_of_records_is_refused(probes: Probes) -> None:
    numbers: tuple[Input, ...] = (NumericalInput("x", (NumericalColumn("age", 0, 0, 1),)),)
    with pytest.raises(NotServable, match="not a record_classifier"):
        quantize(make_candidate(b"", kind="record_classifier", inputs=numbers), "int8", probes, "tiny-int8")


def test_calibration_pictures_are_split_between_fitting_and_measuring(tmp_path: Path) -> None:
    for seed in range(16):
        (tmp_path / "sub").mkdir(exist_ok=True)
        draw_scene(40, 30, seed).save(tmp_path / "sub" / f"{seed:02}.png")
    (tmp_path / "notes.txt").write_text("none")
    found = read_probes(tmp_path)
    assert [each.kind for each in found.fitted] == [f"{seed:02}.png" for seed in range(0, 16, 2)]
    assert [each.kind for each in found.measured] == [f"{seed:02}.png" for seed in range(1, 16, 2)]
    (tmp_path / "sub" / "00.png").unlink()
    with pytest.raises(BadRequest, match="15 pictures are too few"):
        read_probes(tmp_path)


def export(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["models", "export", "open_clip:ViT-B-32", "--pretrained", "none", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--int8", "--output", "clip"), "the name of a model with --int8 ends in -int8"),
        (("--fp16", "--output", "clip-int8"), "the name of a model with --fp16 ends in -fp16"),
        (("--calibration", "."), "--calibration is for --fp16 and --int8"),
        (("--int8", "--calibration", "."), "0 pictures are too few to quantize by"),
        (("--features",), "--features, --classify and --labels are for models of timm's"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_a_library_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setitem(EXPORTERS, "open_clip", "a_library.that:is_not_installed")
    monkeypatch.chdir(tmp_path)
    result = export(*arguments)
    assert result.exit_code != 0
    assert message in str(result.exception) + result.output


@pytest.mark.parametrize("source", ["open_clip", "timm"])
def test_the_documented_command_writes_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    if source == "open_clip":
        arguments = [f"open_clip:{write_clip_config(tmp_path, 'tiny-clip')}", "--pretrained", "none"]
    else:
        # one that answers alike to all, for one that tells drawn scenes apart does not tell photographs apart
        folder = write_folder(tmp_path / "own", make_network_of_timm())
        arguments = [f"timm:{NAME}", "--features", "--pretrained", str(folder), "--output", "tiny-clip-int8"]
    result = CliRunner().invoke(cli, ["models", "export", *arguments, "--int8"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "int8, image cosine mean" in result.output
    assert "times as fast" in result.output
    assert metrics_of(tmp_path / "tiny-clip-int8")["int8"]["image_cosine_mean"] >= 0.98


def make_mobile_network() -> torch.nn.Module:
    """As networks for phones are built: depthwise convolutions, and ReLU6."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 4, stride=4),
        torch.nn.ReLU6(),
        torch.nn.Conv2d(16, 16, 3, groups=16),
        torch.nn.ReLU6(),
        torch.nn.Conv2d(16, 64, 1),
        torch.nn.ReLU6(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 24),
    )


def test_a_network_of_depthwise_convolutions_keeps_what_is_sensitive() -> None:
    """Its pictures' own layer in float32, 8 bits of depthwise weights, and ranges behind each ReLU6."""
    pictures = [np.random.default_rng(seed).standard_normal((3, SIDE, SIDE)).astype(np.float32) for seed in range(8)]
    given = export_graph(make_mobile_network(), {"image": torch.zeros(2, 3, SIDE, SIDE)}, "answer")
    graph = onnx.load_from_string(to_int8(given, "image", pictures)).graph
    tensors = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions[0].input[1] in tensors, "no integers"
    depthwise, pointwise = (np.abs(tensors[makers[node.input[1]].input[0]].astype(int)) for node in convolutions[1:])
    assert depthwise.max() == 127
    assert pointwise.max() <= 64
    ranged = {
        makers[node.input[0]].op_type
        for node in graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] in makers
    }
    assert "Conv" in ranged
    assert not [
        node for node in graph.node if node.op_type == "Clip" and makers[node.input[0]].op_type == "DequantizeLinear"
    ]


def test_the_default_pictures_are_photographs_of_which_none_is_in_both_halves() -> None:
    probes = make_probes()
    fitted, measured = (
        {each.kind for each in part if each.kind.endswith(".jpg")} for part in (probes.fitted, probes.measured)
    )
    assert len(fitted) == len(measured) == 7
    assert not fitted & measured
