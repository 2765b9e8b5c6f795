"""A model of open_clip's and its bundle answer the same, from image files and from texts; else there is no bundle."""

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import open_clip
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from models.tests.clip_configs import TEXT, VISION, write_clip_config
from models.tests.hub_caches import cache_repository
from pixlake.bundles.folders import BundleFolder, open_folder
from pixlake.errors import BadRequest, NotEqual, NotServable
from pixlake.inference.cleaning import clean_text
from pixlake.inference.loaded import load_embedder
from pixlake_cli.main import cli
from pixlake_models.clip import export as export
from pixlake_models.clip.export import ClipSource, export_clip, export_open_clip
from pixlake_models.clip.loading import Clip, load_clip
from pixlake_models.exporting import parity
from pixlake_models.exporting.export import Request, prove_and_write
from pixlake_models.exporting.graphs import export_graph
from pixlake_models.exporting.parity import cosines
from pixlake_models.exporting.pictures import draw_scene

DECODER = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
CONFIGS: dict[str, dict[str, Any]] = {
    "tiny-clip": {},
    "tiny-custom-text": {"custom_text": True, "init_logit_bias": -10.0},
    "tiny-coca": {
        "custom_text": True,
        "vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": {**TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": DECODER,
    },
}


@pytest.fixture(scope="session", params=CONFIGS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, BundleFolder]:
    """A model of each of open_clip's classes, with seeded random weights, and its bundle."""
    lake, name = tmp_path_factory.mktemp("lake"), request.param
    config = write_clip_config(lake, name, **CONFIGS[name])
    prove_and_write(export_open_clip(Request(str(config), "none")), lake / "models" / name)
    torch.manual_seed(0)
    return open_clip.create_model_and_transforms(name), open_folder(f"file://{lake}", name)


def test_a_file_embeds_as_in_open_clip(exported: tuple[Any, BundleFolder], tmp_path: Path) -> None:
    (model, _, preprocess), folder = exported
    path = tmp_path / "scene.png"
    draw_scene(171, 333, 7).save(path)
    with torch.no_grad():
        expected = model.encode_image(preprocess(Image.open(path)).unsqueeze(0)).numpy()
    embedder = load_embedder(folder.uri.rpartition("/models/")[0], folder.model)
    assert cosines(expected, embedder.embed_images([Image.open(path).convert("RGB")]))[0] >= 0.9999


def test_a_text_embeds_as_in_open_clip(exported: tuple[Any, BundleFolder]) -> None:
    (model, _, _), folder = exported
    texts = ["Ein Häuschen &amp; schÃ¶n", "<start_of_text>!", "word " * 200, ""]
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer(folder.manifest.name)(texts)).numpy()
    embedder = load_embedder(folder.uri.rpartition("/models/")[0], folder.model)
    assert cosines(expected, embedder.embed_texts(texts)).min() >= 0.9999


def test_the_logits_scale_and_bias_are_in_the_bundle(exported: tuple[Any, BundleFolder]) -> None:
    _, folder = exported
    tower = folder.manifest.text
    assert tower is not None
    assert tower.scale == pytest.approx(1 / 0.07)
    assert tower.bias == CONFIGS[folder.manifest.name].get("init_logit_bias")


def test_the_measurements_are_in_the_bundle(exported: tuple[Any, BundleFolder]) -> None:
    _, folder = exported
    metrics = folder.manifest.metrics
    assert metrics["text_tokens_differ"] == 0
    assert metrics["image_cosine"] >= 0.9999
    least = min(metrics["image_cosine"], metrics["image_cosine_of_jpegs_decoded_smaller"])
    assert least == min(metrics["image_cosine_by_kind"].values())
    assert {"large JPEG", "grey", "transparent", "turned by EXIF", "CMYK"} <= metrics["image_cosine_by_kind"].keys()
    assert metrics["image_cosine_to_untouched"]["turned by EXIF"] < 0.9999
    assert folder.manifest.source["weights"] == "random, of no use but for trials"


def test_the_command_exports_a_checkpoint(tmp_path: Path) -> None:
    config = write_clip_config(tmp_path, "tiny-trained")
    open_clip.add_model_config(config)
    model = open_clip.create_model("tiny-trained")
    weights, target = tmp_path / "epoch_1.pt", tmp_path / "models" / "shoes"
    torch.save({"epoch": 1, "state_dict": {f"module.{key}": each for key, each in model.state_dict().items()}}, weights)
    arguments = [f"open_clip:{config}", "--pretrained", str(weights), "--output", str(target)]
    result = CliRunner().invoke(cli, ["models", "export", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "image cosine " in result.output
    card = CliRunner().invoke(cli, ["models", "show", "shoes", "--lake", str(tmp_path)], catch_exceptions=False).output
    assert "the file epoch_1.pt, sha256 " in card
    assert "resized to cover, then cut at the centre to 64 x 64 pixels, bicubic" in card
    embedder = load_embedder(f"file://{tmp_path}", "shoes")
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer("tiny-trained")(["a shoe"])).numpy()
    assert cosines(expected, embedder.embed_texts(["a shoe"]))[0] >= 0.9999


def test_weights_of_the_hub_and_of_a_tag_are_named_by_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_clip_config(tmp_path, "tiny-tagged")
    open_clip.add_model_config(config)
    torch.save(open_clip.create_model("tiny-tagged").state_dict(), tmp_path / "weights.bin")
    weights = (tmp_path / "weights.bin").read_bytes()
    hub = {"model_cfg": json.loads(config.read_text()), "preprocess_cfg": {"size": 64}}
    files = {"open_clip_config.json": json.dumps(hub).encode(), "open_clip_pytorch_model.bin": weights}
    cache_repository(monkeypatch, tmp_path / "cache", "somebody/tiny", files)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-tagged", {"mine": {"hf_hub": "somebody/tiny/"}})
    named = f"the file open_clip_pytorch_model.bin, sha256 {hashlib.sha256(weights).hexdigest()}"
    of_hub = load_clip(Request("hf-hub:somebody/tiny")).source
    assert (of_hub["weights"], of_hub["licence"][:7]) == (named, "unknown")
    of_tag = load_clip(Request("tiny-tagged", "mine", licence="MIT")).source
    assert (of_tag["weights"], of_tag["licence"]) == (f"mine, somebody/tiny/: {named}", "MIT")


def test_a_size_that_does_not_fit_the_tower_is_refused(clip_source: ClipSource) -> None:
    wide = msgspec.structs.replace(clip_source.preprocessing, width=48, height=48)
    with pytest.raises(NotServable, match="takes no pictures of 48 x 48 pixels"):
        export.make_candidate(export._gather(dataclasses.replace(clip_source, preprocessing=wide)))


@pytest.mark.parametrize(
    ("name", "pretrained", "reason"),
    [
        ("ViT-B-33", "none", "similar are ViT-B-32"),
        ("none.json", "none", r"no file none\.json"),
        ("ViT-B/32", None, "ViT-B-32 without weights answers at random: .* laion2b_s34b_b79k"),
        ("ViT-B-32", "laion", "no such weights of ViT-B-32: .* laion2b_s34b_b79k"),
        ("ViT-B-32", "openai", "another activation .* open_clip:ViT-B-32-quickgelu"),
        ("hf-hub:somebody/something", "openai", "has its own weights"),
    ],
)
def test_unknown_names_and_weights_are_refused(name: str, pretrained: str | None, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        load_clip(Request(name, pretrained))


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": CliRunner()}, tmp_path / "code.pt")
    with pytest.raises(BadRequest, match="holds more than tensors"):
        load_clip(Request(str(write_clip_config(tmp_path, "tiny-code")), str(tmp_path / "code.pt")))


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save({"visual.proj": torch.zeros(1)}, tmp_path / "another.pt")
    with pytest.raises(BadRequest, match=r"cannot load tiny-other with the weights .*another\.pt: RuntimeError"):
        load_clip(Request(str(write_clip_config(tmp_path, "tiny-other")), str(tmp_path / "another.pt")))


def test_preprocessing_that_a_bundle_cannot_express_is_refused(tmp_path: Path) -> None:
    config = write_clip_config(tmp_path, "tiny-oblong", vision_cfg={**VISION, "image_size": [32, 64]})
    with pytest.raises(NotServable, match="cuts to 64 x 32"):
        load_clip(Request(str(config), "none"))


def test_a_model_without_a_name_is_exported_too(clip_source: ClipSource, target: Path, tmp_path: Path) -> None:
    export_clip(clip_source, target, {"recall": 0.5})
    embedder = load_embedder(f"file://{tmp_path}", "tiny")
    texts = ["red heart", "", "CAT", "an unknown wörd", "hammer " * 99]
    with torch.no_grad():
        ids = torch.tensor([each.ids for each in clip_source.tokenizer.encode_batch(texts)])
        expected = clip_source.model.encode_text(ids).numpy()
    assert cosines(expected, embedder.embed_texts(texts)).min() >= 0.9999
    metrics = open_folder(f"file://{tmp_path}", "tiny").manifest.metrics
    assert (metrics["recall"], metrics["text_cosine"]) == (0.5, 1.0)


SHARP = 0.9999
"""A bound that a sharpened model of this size fails; it differs less than is noticed."""


def sharpen(source: ClipSource) -> ClipSource:
    """The same model, blind to all of a picture but its finest detail, which is what a JPEG decoded smaller has
    otherwise."""
    model = copy.deepcopy(source.model)
    weights = model.visual.conv1.weight.data
    coarse = torch.nn.functional.avg_pool2d(weights, 2)
    weights.sub_(torch.nn.functional.interpolate(coarse, scale_factor=2)).mul_(100)
    model.visual.transformer.resblocks[0].attn.in_proj_weight.data.mul_(10)
    return dataclasses.replace(source, model=model)


def test_a_model_sensitive_to_jpegs_decoded_smaller_gets_whole_ones(
    clip_source: ClipSource, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity, "LEAST_COSINE_OF_SMALLER", SHARP)
    for source, pixels in ((clip_source, "shown"), (sharpen(clip_source), "whole")):
        export_clip(source, target, {})
        manifest = open_folder(f"file://{tmp_path}", "tiny").manifest
        assert manifest.image_input is not None
        assert manifest.image_input.preprocessing.pixels == pixels
        assert ("jpegs_decoded_smaller" in manifest.metrics) == (pixels == "whole")
        assert manifest.metrics["image_cosine"] >= 0.9999
    figure = "image_cosine_of_jpegs_decoded_smaller"
    assert 0.99 < manifest.metrics["jpegs_decoded_smaller"][figure] < SHARP
    assert figure not in manifest.metrics, "none was"
    assert manifest.metrics["image_cosine_by_kind"]["large JPEG"] == pytest.approx(1, abs=2e-6)


def test_open_clip_runs_once_for_a_bundle_that_is_measured_twice(
    clip_source: ClipSource, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    tokenized: list[Any] = []

    def noting(seen: list[Any], answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def note(given: Any) -> Any:
            seen.append(given)
            return answer(given)

        return note

    def watch(clip: Clip) -> Clip:
        return dataclasses.replace(
            clip, preprocess=noting(read, clip.preprocess), tokenize=noting(tokenized, clip.tokenize)
        )

    monkeypatch.setattr(parity, "LEAST_COSINE_OF_SMALLER", SHARP)
    gather = export._gather
    monkeypatch.setattr(export, "_gather", lambda source: watch(gather(source)))
    export_clip(clip_source, target, {})
    once = len(read), len(tokenized)
    export_clip(sharpen(clip_source), target, {})
    assert (len(read), len(tokenized)) == (2 * once[0], 2 * once[1])


def test_a_graph_with_other_embeddings_is_not_written(
    clip_source: ClipSource, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_another(
        module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], output: str, texts: Collection[str] = ()
    ) -> bytes:
        another = copy.deepcopy(module)
        another.get_parameter("model.text_projection").data.neg_()
        return export_graph(another, inputs, output, texts)

    monkeypatch.setattr(export, "export_graph", export_another)
    with pytest.raises(NotEqual, match=r"text_cosine is -1, not >= 0\.9999"):
        export_clip(clip_source, target, {})
    assert not target.exists()


def test_a_tokenizer_with_other_tokens_is_not_written(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixlake.inference.encoders.clean_text", lambda text, _: clean_text(text, "none").lower())
    config = write_clip_config(tmp_path, "tiny-unclean")
    with pytest.raises(NotEqual, match="text_tokens_differ"):
        prove_and_write(export_open_clip(Request(str(config), "none")), target)
    assert not target.exists()
