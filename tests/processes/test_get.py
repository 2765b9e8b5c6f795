"""Ready models of a hub on loopback, held against numpy from the pixels and the token vectors on."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

from models.tests.loopback_hub import COMMIT, Hub, serving_hub
from pixlake.bundles.folders import open_folder
from pixlake.images.preprocessing import tensor
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier
from pixlake_models.hub.graphs import Tower
from pixlake_models.hub.known import KNOWN
from pixlake_models.hub.words import read_words
from tests.builders import ready, tiny
from tests.builders.commands import run

DINO, CLIP, CLASSES = "acme/dinov2-tiny", "acme/clip-tiny", "acme/classes-tiny"
COLORS = [(255, 0, 0), (10, 200, 90), (0, 0, 0), (255, 255, 255)]


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving_hub(Hub({DINO: ready.dinov2()}, {DINO: {"license": "apache-2.0"}})) as served:
        settings = {
            "ENDPOINT": served.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": f"{served.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_PROGRESS_BARS": True,
        }
        for name, value in settings.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        yield served


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def get(lake: Path, *arguments: str) -> Result:
    return run("models", "get", *arguments, "--lake", lake)


def got(lake: Path, *arguments: str) -> Result:
    done = get(lake, *arguments)
    assert done.exit_code == 0, done.output
    return done


def refuse(hub: Hub, lake: Path, repository: str, files: Mapping[str, bytes | None]) -> str:
    """What is said of a repository of these files, without those that are None; nothing is written."""
    hub.repositories = {repository: {path: data for path, data in files.items() if data is not None}}
    done = get(lake, f"hf:{repository}")
    assert (done.exit_code, lake.exists()) == (1, False)
    return done.stderr


def embedder(lake: Path, name: str) -> Embedder:
    return Embedder(open_folder(lake.as_uri(), name))


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    scaled: NDArray[Any] = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled


def image_vectors() -> NDArray[Any]:
    spec = tiny.spec(resize="shortest", crop=8 / 9)
    means = [tensor(Image.new("RGB", (20, 14), color), spec).mean(axis=(1, 2)) for color in COLORS]
    return unit(np.stack(means) @ tiny.WEIGHTS)


def embed_images(lake: Path, name: str) -> NDArray[Any]:
    return embedder(lake, name).embed_images([Image.new("RGB", (20, 14), color) for color in COLORS])


def test_a_dinov2_answers_with_the_vector_of_its_first_place(lake: Path) -> None:
    done = got(lake, f"hf:{DINO}")
    assert np.abs(embed_images(lake, "dinov2-tiny") - image_vectors()).max() < 1e-6
    assert "nothing compared it with the model that it was made of" in done.stdout.splitlines()[-1]
    assert run("models", "verify", "dinov2-tiny", "--lake", lake).exit_code == 0


def test_commit_licence_digests_and_figures_are_in_the_bundle(hub: Hub, lake: Path) -> None:
    got(lake, f"hf:{DINO}")
    manifest = open_folder(lake.as_uri(), "dinov2-tiny").manifest
    source, graph = manifest.source, hashlib.sha256(hub.repositories[DINO]["onnx/model.onnx"]).hexdigest()
    assert (source["origin"], source["commit"], source["licence"]) == (f"hf:{DINO}", COMMIT, "apache-2.0")
    assert f"onnx/model.onnx sha256 {graph}" in source["files"]
    assert source["compared"].startswith("with nothing")
    assert manifest.metrics["cosine_of_mirror_images"] >= manifest.metrics["cosine_of_other_images"]
    assert "- compared: with nothing" in run("models", "show", "dinov2-tiny", "--lake", lake).stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf:acme/none", "no such repository, or HF_TOKEN may not read it"),
        (f"hf:{DINO}@v9", "no such revision"),
        ("hf:a/b/c", "it is written hf:owner/name"),
        ("dinov2", "it is one of clip-vit-b32, "),
    ],
)
def test_a_name_that_the_hub_lacks_is_refused(lake: Path, name: str, reason: str) -> None:
    done = get(lake, name)
    assert (done.exit_code, lake.exists()) == (2, False)
    assert reason in done.stderr


def test_a_lake_is_needed() -> None:
    done = run("models", "get", f"hf:{DINO}")
    assert done.exit_code == 2
    assert "--lake is missing" in done.stderr


def test_an_interrupted_download_is_taken_up_again(hub: Hub, lake: Path) -> None:
    hub.cut_after = 300
    got(lake, f"hf:{DINO}")
    assert hub.asked.count(f"GET /{DINO}/resolve/{COMMIT}/onnx/model.onnx") == 2
    assert np.abs(embed_images(lake, "dinov2-tiny") - image_vectors()).max() < 1e-6


def test_offline_what_was_downloaded_is_used(hub: Hub, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = get(lake, f"hf:{DINO}")
    assert done.exit_code == 2
    assert "not downloaded, and HF_HUB_OFFLINE is set" in done.stderr
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    got(lake, f"hf:{DINO}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert "cosine of mirror images" in got(lake, f"hf:{DINO}").stdout
    assert hub.asked == []
    assert open_folder(lake.as_uri(), "dinov2-tiny").manifest.source["commit"] == COMMIT


def test_a_file_that_is_not_the_hubs_is_refused(hub: Hub, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = hub.describe(DINO)
    described["siblings"][-1]["lfs"]["sha256"] = "0" * 64
    monkeypatch.setattr(hub, "describe", lambda _: described)
    done = get(lake, f"hf:{DINO}")
    assert (done.exit_code, lake.exists()) == (1, False)
    assert "not the hub's 000" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", b"[", "config.json is no JSON"),
        ("config.json", b'{"model_type": "puzzle"}', "none is known to be the vector of a 'puzzle'"),
        ("config.json", b'{"model_type": "dinov2", "hidden_size": 5}', "with 4 numbers, its config.json states 5"),
        ("preprocessor_config.json", ready.processor(do_pad=True), "its preprocessing pads"),
        ("preprocessor_config.json", ready.processor(size=None), "has no size"),
        ("preprocessor_config.json", ready.processor(size={"height": "a", "width": []}), "of a form that is not known"),
        ("onnx/model.onnx", b"no graph", "is no ONNX graph"),
        ("onnx/model.onnx", None, "has no onnx/vision_model.onnx and no onnx/model.onnx"),
    ],
)
def test_a_layout_that_leaves_something_open_is_refused(
    hub: Hub, lake: Path, file: str, content: bytes | None, reason: str
) -> None:
    assert reason in refuse(hub, lake, DINO, {**ready.dinov2(), file: content})


def text_vectors(*texts: str) -> NDArray[Any]:
    """Of the texts' words, as the tokenizer takes them."""
    return unit(
        np.stack([tiny.TOKEN_VECTORS[[tiny.WORDS.index(each) for each in text.split()]].mean(0) for text in texts])
    )


def test_a_clip_answers_images_and_texts_in_one_space(hub: Hub, lake: Path) -> None:
    hub.repositories = {CLIP: ready.clip()}
    got(lake, f"hf:{CLIP}", "--name", "mine")
    assert np.abs(embed_images(lake, "mine") - image_vectors()).max() < 1e-6
    found = embedder(lake, "mine").embed_texts(["red", "blue green square", "red red red red red blue"])
    assert (
        np.abs(found - text_vectors("[UNK] red", "[UNK] blue green square", "[UNK] red red red red red")).max() < 1e-6
    )
    manifest = open_folder(lake.as_uri(), "mine").manifest
    assert manifest.metrics["cosine_of_a_text_repeated"] == 1
    assert "tokenizer.json sha256 " in manifest.source["files"]


def test_texts_that_padding_changes_are_padded_to_one_length(hub: Hub, lake: Path) -> None:
    hub.repositories = {CLIP: ready.clip(masked=False, model_type="unheard")}
    got(lake, f"hf:{CLIP}")
    found = embedder(lake, "clip-tiny").embed_texts(["red", "blue green"])
    padded = text_vectors("[UNK] red" + " [PAD]" * 4, "[UNK] blue green" + " [PAD]" * 3)
    assert np.abs(found - padded).max() < 1e-6


def test_a_model_whose_answer_depends_on_texts_beside_it_is_refused(hub: Hub, lake: Path) -> None:
    hub.repositories = {CLIP: ready.clip(masked=False, text_config={"max_position_embeddings": 40})}
    done = get(lake, f"hf:{CLIP}")
    assert (done.exit_code, lake.exists()) == (1, False)
    assert "cosine_of_a_text_beside_a_longer is" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("onnx/vision_model.onnx", ready.vision_graph(np.eye(3, 5, dtype=np.float32)), "config.json states 4"),
        ("onnx/vision_model.onnx", ready.vision_graph(output="vector"), "vector of a 'clip'"),
        ("onnx/text_model.onnx", ready.vision_graph(output="text_embeds"), "takes ['pixel_values'], too"),
        ("tokenizer.json", b"{}", "no tokenizer of the `tokenizers` library"),
        ("tokenizer.json", None, "has no tokenizer.json"),
        ("tokenizer_config.json", b'{"padding_side": "left"}', "pads texts on the left"),
    ],
)
def test_two_towers_that_leave_something_open_are_refused(
    hub: Hub, lake: Path, file: str, content: bytes | None, reason: str
) -> None:
    assert reason in refuse(hub, lake, CLIP, {**ready.clip(), file: content})


def test_a_classifiers_labels_are_its_configs(hub: Hub, lake: Path) -> None:
    labels = {"0": "crane", "1": "tench, Tinca tinca", "2": "crane", "3": "kite"}
    hub.repositories = {CLASSES: ready.classifier(labels)}
    got(lake, f"hf:{CLASSES}")
    model = load_classifier(lake.as_uri(), "classes-tiny")
    pictures = [tensor(Image.new("RGB", (20, 14), color), tiny.spec(resize="squash")) for color in COLORS]
    predicted = model.predict([Example(images=[each]) for each in pictures])
    logits = np.stack([each.mean(axis=(1, 2)) for each in pictures]) @ tiny.WEIGHTS
    powers = np.exp(logits)
    found = np.array([list(each.probabilities.values()) for each in predicted if each and each.probabilities])
    assert np.abs(found - powers / powers.sum(axis=1, keepdims=True)).max() < 1e-6
    names = open_folder(lake.as_uri(), "classes-tiny").manifest.labels
    assert names == ("crane (0)", "tench, Tinca tinca", "crane (2)", "kite")


@pytest.mark.parametrize(
    ("variant", "make", "far"), [("fp16", ready.halved, 2e-3), ("quantized", ready.quantized, 0.1)]
)
def test_a_variant_has_files_and_a_name_of_its_own(
    hub: Hub, lake: Path, variant: str, make: Callable[[bytes], bytes], far: float
) -> None:
    graph = make(ready.vision_graph())
    files = ready.clip() | {f"onnx/vision_model_{variant}.onnx": graph}
    files[f"onnx/text_model_{variant}.onnx"] = files.pop("onnx/text_model.onnx")
    hub.repositories = {CLIP: files}
    got(lake, f"hf:{CLIP}", "--variant", variant)
    far_off = np.abs(embed_images(lake, f"clip-tiny-{variant}") - image_vectors()).max()
    assert 0 < far_off < far
    assert open_folder(lake.as_uri(), f"clip-tiny-{variant}").manifest.source["variant"] == variant


def test_the_name_of_a_variant_says_so(hub: Hub, lake: Path) -> None:
    done = get(lake, f"hf:{CLIP}", "--variant", "fp16", "--name", "clip")
    assert (done.exit_code, hub.asked) == (2, [])
    assert "ends in -fp16" in done.stderr
    assert "has no onnx/vision_model_fp16.onnx" in get(lake, f"hf:{DINO}", "--variant", "fp16").stderr


def test_tensors_in_a_file_beside_the_graph_come_with_it(hub: Hub, lake: Path) -> None:
    hub.repositories = {DINO: ready.dinov2() | ready.keep_beside("onnx/model.onnx", "model.onnx_data")}
    got(lake, f"hf:{DINO}")
    assert np.abs(embed_images(lake, "dinov2-tiny") - image_vectors()).max() < 1e-6


def test_a_large_graphs_tensors_get_a_file_of_their_own(hub: Hub, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixlake_models.hub.making.LARGE", 100)
    monkeypatch.setattr("pixlake_models.hub.streaming.LARGE_TENSOR", 16)
    hub.repositories = {CLIP: ready.clip()}
    got(lake, f"hf:{CLIP}")
    folder = open_folder(lake.as_uri(), "clip-tiny")
    assert {"image.onnx.data", "text.onnx.data"} <= folder.manifest.files.keys()
    assert tiny.WEIGHTS.tobytes() not in folder.read("image.onnx")
    assert tiny.WEIGHTS.tobytes() in folder.read("image.onnx.data")
    assert np.abs(embed_images(lake, "clip-tiny") - image_vectors()).max() < 1e-6


def test_tensors_in_any_other_file_are_refused(hub: Hub, lake: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(tiny.WEIGHTS.tobytes())
    hub.repositories = {DINO: ready.dinov2() | ready.keep_beside("onnx/model.onnx", str(tmp_path / "weights"))}
    done = get(lake, f"hf:{DINO}")
    assert (done.exit_code, lake.exists()) == (1, False)
    assert "does not load the graph" in done.stderr


def test_without_a_name_the_known_models_are_listed(hub: Hub) -> None:
    listed = run("models", "get").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["name", *(each.name for each in KNOWN)]
    assert next(line for line in listed if line.startswith("dinov2-small")).split()[1:5] == [
        "88",
        "384",
        "-",
        "Apache-2.0",
    ]
    assert next(line for line in listed if line.startswith("clip-vit-b32")).split()[3] == "11.4"
    assert hub.asked == []


def test_a_listed_name_is_a_repositorys(hub: Hub, lake: Path) -> None:
    hub.repositories = {"Xenova/dinov2-small": ready.dinov2()}
    assert got(lake, "dinov2-small").stdout.splitlines()[-1].startswith("dinov2-small@")


@pytest.mark.parametrize(
    ("kind", "cleaning"), [("GemmaTokenizerFast", "lower"), ("SiglipTokenizer", "canonical"), ("CLIPTokenizer", "none")]
)
def test_a_siglips_texts_are_cleaned_and_padded_as_in_its_training(kind: str, cleaning: str) -> None:
    tower = Tower(b"", {"input_ids": (None, None)}, "pooler_output", 768)
    settings = {"tokenizer_class": kind, "pad_token": {"content": "blue"}}
    declared = read_words(tower, ready.tokenizer(), settings, {"model_type": "siglip"})
    assert (declared.cleaning, declared.padding, declared.length, declared.pad) == (cleaning, "length", 64, 4)
