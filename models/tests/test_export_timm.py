"""timm's networks answer from their bundles as in timm, from the files on."""

import argparse
import dataclasses
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import timm
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from models.tests.hub_caches import cache_repository
from models.tests.timm_networks import (
    BREEDS,
    NAME,
    encode,
    make_network,
    make_telling_network,
    transform_as_timm,
    write_folder,
)
from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import BadRequest, NotEqual, NotServable
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier, load_embedder
from pixlake_cli.main import cli
from pixlake_models.exporting.export import Request, prove_and_write
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.pictures import draw_scene
from pixlake_models.timm import export as module
from pixlake_models.timm.export import export_timm
from pixlake_models.timm.padding import fixed_padding

CROPS = {
    "center": {},
    "squash": {"crop_mode": "squash", "crop_pct": 1.0, "input_size": (3, 80, 112), "interpolation": "bilinear"},
    "border": {"crop_mode": "border", "crop_pct": 1.0},
}


@pytest.fixture(scope="module")
def network() -> Any:
    return make_telling_network()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, network: Any) -> Path:
    return write_folder(tmp_path_factory.mktemp("timm") / "pets", network)


@pytest.fixture
def breeds(tmp_path: Path) -> Path:
    path = tmp_path / "breeds.txt"
    path.write_text("\n".join(BREEDS))
    return path


def make_files() -> list[bytes]:
    """Odd sizes, grey, transparent, none of them so large that a JPEG is decoded smaller."""
    scene = draw_scene(71, 53, 1)
    alpha = Image.merge("RGBA", (*scene.split(), Image.new("L", scene.size, 255)))
    alpha.paste((0, 0, 0, 0), (0, 0, 30, 30))
    pictures = [(scene, "JPEG"), (draw_scene(40, 90, 2), "PNG"), (scene.convert("L"), "PNG"), (alpha, "PNG")]
    return [encode(*each) for each in pictures]


def read(data: bytes, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """As the containers do."""
    return tensor(decode_for(data, preprocessing, 10**7), preprocessing)


@pytest.mark.parametrize("crop", CROPS)
def test_features_from_files_are_timms(tmp_path: Path, target: Path, network: Any, crop: str) -> None:
    folder = write_folder(tmp_path / "pets", network, CROPS[crop])
    written = prove_and_write(export_timm(Request(NAME, str(folder), "features")), target)
    figures = {each.name: each.value for each in written.figures if not each.group}
    assert figures["image_cosine"] >= 0.9999
    # what is between different pictures tells how much that is
    assert figures["image_cosine_of_others"] < 0.95
    embedder = load_embedder(f"file://{tmp_path}", "tiny")
    files = make_files()[: 3 if crop == "border" else 4]  # timm's border has its own colour, also for what is clear
    with torch.no_grad():
        maps = network.forward_features(transform_as_timm(files, CROPS[crop]))
        expected = network.forward_head(maps, pre_logits=True).numpy()
    found = embedder.embed_tensors([read(data, embedder.preprocessing) for data in files])
    lengths = np.linalg.norm(expected, axis=1)
    assert embedder.dimensions == expected.shape[1] == 1024
    assert ((expected * found).sum(axis=1) / lengths).min() >= 0.9999


def test_classes_from_files_are_timms(tmp_path: Path, target: Path, network: Any, folder: Path, breeds: Path) -> None:
    """By the command, for what it prints."""
    options = ["--classify", "--labels", breeds, "--pretrained", folder, "--output", target]
    done = export_by_command(f"timm:{NAME}", *options)
    assert done.exit_code == 0, done.output
    assert "probability difference" in done.stdout
    assert "\nprobability difference of jpegs decoded smaller  0.00" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("tiny@")
    manifest = json.loads((target / "bundle.json").read_text())
    assert (manifest["name"], manifest["kind"], manifest["labels"]) == ("tiny", "image_classifier", BREEDS)
    assert manifest["source"]["labels"] == "breeds.txt"
    figures = manifest["metrics"]
    assert figures["probability_difference"] <= 1e-4
    assert figures["top1_agreement"] == 1
    assert figures["probability_difference_of_others"] > 0.5
    classifier = load_classifier(f"file://{tmp_path}", "tiny")
    files = make_files()
    with torch.no_grad():
        expected = network(transform_as_timm(files)).softmax(dim=1).numpy()
    assert classifier.image_input
    preprocessing = classifier.image_input.preprocessing
    examples = [
        Example(images=[tensor(decode_for(data, preprocessing, 10**6).pixels, preprocessing)]) for data in files
    ]
    predictions: list[Any] = classifier.predict(examples)
    assert list(predictions[0].probabilities) == BREEDS
    found = np.array([list(each.probabilities.values()) for each in predictions])
    assert np.abs(found - expected).max() <= 1e-4
    assert [each.label for each in predictions] == [BREEDS[index] for index in expected.argmax(axis=1)]
    assert len({each.label for each in predictions}) > 1


def test_a_network_sensitive_to_jpegs_decoded_smaller_gets_whole_ones(
    tmp_path: Path, target: Path, breeds: Path
) -> None:
    folder = write_folder(tmp_path / "edges", make_telling_network(sighted=False))
    written = prove_and_write(export_timm(Request(NAME, str(folder), "classes", breeds)), target)
    manifest = open_folder(f"file://{tmp_path}", "tiny").manifest
    assert manifest.image_input
    assert manifest.image_input.preprocessing.pixels == "whole"
    figure = "probability_difference_of_jpegs_decoded_smaller"
    assert written.notes[0].startswith(f"JPEGs are decoded whole: when they are decoded smaller, {figure} is ")
    assert figure not in manifest.metrics, "none was"
    smaller, whole = manifest.metrics["jpegs_decoded_smaller"][figure], manifest.metrics["probability_difference"]
    assert smaller > 0.02 > 1e-4 >= whole
    data = encode(draw_scene(1800, 1840, 9), "JPEG")
    wanted = transform_as_timm([data]).numpy()[0]
    assert np.abs(read(data, manifest.image_input.preprocessing) - wanted).max() < 0.01


@pytest.mark.parametrize("answer", ["features", "classes"])
def test_a_network_that_differs_less_than_is_noticed_keeps_smaller_ones(
    tmp_path: Path, target: Path, folder: Path, breeds: Path, answer: Any
) -> None:
    """Though more than by its arithmetic."""
    written = prove_and_write(
        export_timm(Request(NAME, str(folder), answer, breeds if answer == "classes" else None)), target
    )
    manifest = open_folder(f"file://{tmp_path}", "tiny").manifest
    assert manifest.image_input
    assert (manifest.image_input.preprocessing.pixels, written.notes) == ("shown", ())
    metrics = manifest.metrics
    if answer == "features":
        assert 0.999 < metrics["image_cosine_of_jpegs_decoded_smaller"] < 0.9999 < metrics["image_cosine"]
    else:
        assert 0.02 > metrics["probability_difference_of_jpegs_decoded_smaller"] > 1e-4
        assert metrics["top1_agreement_of_jpegs_decoded_smaller"] == 1
        assert metrics["probability_difference"] < 1e-4


@pytest.mark.parametrize("answer", ["features", "classes"])
def test_a_network_insensitive_to_them_gets_smaller_ones(
    tmp_path: Path, target: Path, breeds: Path, answer: Any
) -> None:
    folder = write_folder(tmp_path / "dull", make_network())
    labels = breeds if answer == "classes" else None
    written = prove_and_write(export_timm(Request(NAME, str(folder), answer, labels)), target)
    manifest = open_folder(f"file://{tmp_path}", "tiny").manifest
    assert manifest.image_input
    assert (manifest.image_input.preprocessing.pixels, written.notes) == ("shown", ())
    assert "jpegs_decoded_smaller" not in manifest.metrics
    assert manifest.metrics["same_pixels"] < 1, "some were decoded smaller"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_of_ones_own_have_no_licence_until_it_is_said(tmp_path: Path, network: Any) -> None:
    save_safely(network, tmp_path / "own.safetensors")
    request = Request(NAME, str(tmp_path / "own.safetensors"), "features")
    source = export_timm(request).manifest.source
    assert source["licence"].startswith("unknown: ")
    assert "described at" not in source, "timm's own weights are"
    assert source["weights"] == f"the file own.safetensors, sha256 {digest(tmp_path / 'own.safetensors')}"
    assert export_timm(dataclasses.replace(request, licence="MIT")).manifest.source["licence"] == "MIT"


def test_weights_of_the_hub_are_named_by_their_digest(
    tmp_path: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "net", network, {"num_classes": len(BREEDS), "license": "mit"})
    files = {name: (folder / name).read_bytes() for name in ("config.json", "pytorch_model.bin")}
    cache_repository(monkeypatch, tmp_path / "cache", "somebody/net", files)
    source = export_timm(Request("hf-hub:somebody/net", None, "features")).manifest.source
    assert source["weights"] == f"the file pytorch_model.bin, sha256 {digest(folder / 'pytorch_model.bin')}"
    assert source["licence"] == "mit"


def test_a_size_that_does_not_fit_the_network_is_refused(tmp_path: Path) -> None:
    arguments = {"img_size": 96, "patch_size": 16, "embed_dim": 32, "depth": 1, "num_heads": 2}
    settings = {"input_size": (3, 112, 112), "classifier": "head"}
    described = {"architecture": "vit_tiny_patch16_224", "model_args": arguments}
    folder = write_folder(tmp_path / "vit", make_vit(arguments), settings, **described)
    with pytest.raises(NotServable, match=r"takes no pictures of 112 x 112 pixels, .* match model \(96\)"):
        export_timm(Request("vit_tiny_patch16_224", str(folder), "features"))


def test_tensorflows_padding_is_part_of_the_graph() -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_mobilenetv3_small_minimal_100", num_classes=3).eval()
    pictures = torch.randn(2, 3, 98, 98, generator=torch.Generator().manual_seed(1))
    with fixed_padding():
        graph = export_graph(network, {"image": torch.zeros(2, 3, 98, 98)}, "logits")
    operators = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert operators.isdisjoint({"Shape", "Pad", "Slice", "Ceil"})
    (answer,) = ort.InferenceSession(graph).run(None, {"image": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(answer, network(pictures).numpy(), atol=1e-4)


def test_a_transformer_is_built_by_its_folders_arguments(tmp_path: Path, target: Path) -> None:
    arguments = {"img_size": 96, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2}
    network = make_vit(arguments)
    settings = {"fixed_input_size": True, "classifier": "head"}
    described = {"architecture": "vit_tiny_patch16_224", "model_args": arguments}
    folder = write_folder(tmp_path / "vit", network, settings, **described)
    prove_and_write(export_timm(Request("vit_tiny_patch16_224", str(folder), "features")), target)
    assert load_embedder(f"file://{tmp_path}", "tiny").dimensions == 32


def make_vit(arguments: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", num_classes=3, **arguments)


def test_imagenets_classes_have_its_names_none_twice(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "net", make_network(1000))
    manifest = export_timm(Request(NAME, str(folder), "classes")).manifest
    assert len(set(manifest.labels)) == len(manifest.labels) == 1000
    assert manifest.labels[0].startswith("tench")
    assert [manifest.labels[index] for index in (134, 517)] == ["crane (n02012849)", "crane (n03126707)"]
    assert "imagenet-1k" in manifest.source["labels"]


@pytest.mark.parametrize(
    ("described", "labels"),
    [
        ({"label_names": list("abcdefg")}, list("abcdefg")),
        ({"label_names": list("abcdefg"), "label_descriptions": {"b": "bee", "c": "bee"}},
         ["a", "bee (1)", "bee (2)", "d", "e", "f", "g"]),
        ({"label_names": {str(index): f"l{index}" for index in range(7)}}, [f"l{index}" for index in range(7)]),
    ],
)  # fmt: skip
def test_labels_of_the_weights_are_used(
    tmp_path: Path, network: Any, described: dict[str, Any], labels: list[str]
) -> None:
    folder = write_folder(tmp_path / "own", network, **described)
    assert list(export_timm(Request(NAME, str(folder), "classes")).manifest.labels) == labels


def test_names_of_classes_that_are_described_are_their_ids(tmp_path: Path, network: Any) -> None:
    folder = write_folder(tmp_path / "own", network, label_names=list("abcdefg"), label_descriptions={"b": "bee"})
    manifest = export_timm(Request(NAME, str(folder), "classes")).manifest
    assert manifest.ids_by_label == {"a": "a", "bee": "b", **{name: name for name in "cdefg"}}


def test_two_classes_are_a_binary_problem(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "two", make_network(2))
    (tmp_path / "labels.json").write_text('["cat", "dog"]')
    manifest = export_timm(Request(NAME, str(folder), "classes", tmp_path / "labels.json")).manifest
    assert (manifest.problem, manifest.labels) == ("binary", ("cat", "dog"))


def save_checkpoint(network: Any, path: Path) -> None:
    """As timm's training script writes it, from several processes."""
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3, "args": argparse.Namespace(model=NAME)}, path)


def save_safely(network: Any, path: Path) -> None:
    save_file(network.state_dict(), path)


@pytest.mark.parametrize(("name", "save"), [("last.pth.tar", save_checkpoint), ("model.safetensors", save_safely)])
def test_the_number_of_classes_is_read_from_the_weights(
    tmp_path: Path, network: Any, breeds: Path, name: str, save: Any
) -> None:
    save(network, tmp_path / name)
    candidate = export_timm(Request(f"{NAME}.lamb_in1k", str(tmp_path / name), "classes", breeds))
    assert len(candidate.manifest.labels) == len(BREEDS)
    assert candidate.manifest.image_input
    assert candidate.manifest.image_input.preprocessing.width == 224
    assert name in candidate.manifest.source["origin"]


class Exploit:
    """What a pickle can do."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("was-here"),)


def test_a_file_of_weights_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.pth").write_bytes(pickle.dumps({"state_dict": Exploit()}))
    with pytest.raises(BadRequest, match=r"evil\.pth: these are no weights"):
        export_timm(Request(NAME, "evil.pth", "features"))
    assert not Path("was-here").exists()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"crop_mode": "squash", "crop_pct": 0.9}, "cannot express timm's crop_mode 'squash' with crop_pct 0.9"),
        ({"crop_pct": 1.1}, "crop_pct 1.1"),
        ({"interpolation": "hamming"}, "the interpolation 'hamming'"),
        ({"input_size": (3, 96, 128)}, "128 x 96 pixels out, which is no square"),
    ],
)
def test_preprocessing_that_a_bundle_cannot_express_is_refused(
    tmp_path: Path, network: Any, settings: dict[str, Any], reason: str
) -> None:
    folder = write_folder(tmp_path / "odd", network, settings)
    with pytest.raises(NotServable, match=reason):
        export_timm(Request(NAME, str(folder), "features"))


def test_a_network_of_grey_pictures_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    grey = timm.create_model(NAME, num_classes=3, in_chans=1)
    settings = {"input_size": (1, 32, 32), "mean": (0.5,), "std": (0.5,)}
    folder = write_folder(tmp_path / "grey", grey, settings, model_args={"in_chans": 1})
    with pytest.raises(NotServable, match="three channels, this model's 1"):
        export_timm(Request(NAME, str(folder), "features"))


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request("resnet5000", None, "features"), r"no model 'resnet5000'; it knows \['resnet"),
        (Request(NAME, "FOLDER", None), "--features or to --classify"),
        (Request(NAME, "FOLDER", "features", Path("LABELS")), "features have none"),
        (Request(NAME, "FOLDER", "classes"), "7 classes without names"),
        (Request(NAME, "FOLDER", "classes", Path("SHORT")), "has 2 labels, the model has 7 classes"),
        (Request("mobilenetv3_small_100", "FOLDER", "features"), f"the model in it is {NAME}, not"),
        (Request("mobilenetv3_small_100", "FOLDER/pytorch_model.bin", "features"), "no weights of mobilenetv3_small"),
        (Request(NAME, "FOLDER/config.json", "features"), "no weights of"),
        (Request(NAME, "nowhere/at/all.pth", "features"), "no such file or folder"),
        (Request(NAME, "EMPTY", "features"), "does not describe a model"),
        (Request(NAME, "no_such_tag", "features"), "cannot get the weights"),
        (Request(NAME, "HEADLESS", "classes", Path("LABELS")), "has no classes"),
    ],
)  # fmt: skip
def test_an_unusable_request_is_refused_with_the_reason(
    tmp_path: Path, network: Any, folder: Path, breeds: Path, request_: Request, reason: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "short.txt").write_text("a\nb")
    body = {name: value for name, value in network.state_dict().items() if not name.startswith("classifier")}
    torch.save(body, tmp_path / "headless.pth")
    places = {"FOLDER": folder, "EMPTY": tmp_path / "empty", "HEADLESS": tmp_path / "headless.pth"}
    pretrained = request_.pretrained
    for word, place in places.items():
        pretrained = pretrained and pretrained.replace(word, str(place))
    labels = {"LABELS": breeds, "SHORT": tmp_path / "short.txt"}.get(str(request_.labels))
    with pytest.raises(BadRequest, match=reason):
        export_timm(Request(request_.name, pretrained, request_.answer, labels))


def test_a_graph_with_other_answers_is_not_written(
    target: Path, folder: Path, breeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Otherwise(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(images) * 1.01
            return logits

    def export_otherwise(network: Any, *arguments: Any, **options: Any) -> Any:
        return export_graph(Otherwise(network), *arguments, **options)

    monkeypatch.setattr(module, "export_graph", export_otherwise)
    with pytest.raises(NotEqual, match="probability_difference"):
        prove_and_write(export_timm(Request(NAME, str(folder), "classes", breeds)), target)
    assert not target.exists()


def export_by_command(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["models", "export", *map(str, arguments)], prog_name="pixlake")


def test_options_of_timm_are_refused_for_open_clip() -> None:
    done = export_by_command("open_clip:ViT-B-32", "--features")
    assert (done.exit_code, "are for models of timm's" in done.stderr) == (2, True)
