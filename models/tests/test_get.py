"""Networks of transformers', with random weights, exported into the layout of a hub: what `models get` makes of a
repository answers as they do, from image files and from texts."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model, SiglipConfig, SiglipModel
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from models.tests.loopback_hub import Hub, serving_hub
from pixlake.bundles.folders import open_folder
from pixlake.inference.embedder import Embedder
from pixlake_models.commands.get import get
from pixlake_models.exporting.pictures import draw_scene

WORDS = ("<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "cat", "dog", "red")
TEXTS = ("a photo of a cat", "red", "a red dog of a red cat", "cat")
LENGTH, SIDE = 12, 32
_TEXT = {"vocab_size": len(WORDS), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
_TEXT |= {"num_attention_heads": 2, "max_position_embeddings": LENGTH}
_VISION = {"image_size": SIDE, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
_VISION |= {"num_attention_heads": 2}
_TOKENS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


@dataclass(frozen=True)
class Network:
    """The network, its image processor, and its answers; `texts` is None where it reads none."""

    model: Any
    processor: Any
    images: Callable[[torch.Tensor], torch.Tensor]
    output: str
    texts: Callable[..., torch.Tensor] | None = None
    text_output: str = ""
    masked: bool = False


class _Answer(torch.nn.Module):
    def __init__(self, model: torch.nn.Module, answer: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model, self.answer = model, answer

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.answer(*inputs)


def make_clip() -> Network:
    config = CLIPConfig(
        text_config=_TEXT | _TOKENS, vision_config=_VISION, projection_dim=16, attn_implementation="eager"
    )
    model = CLIPModel(config)
    return Network(
        model,
        CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        lambda pixels: model.visual_projection(model.vision_model(pixels).pooler_output),
        "image_embeds",
        lambda ids, mask: model.text_projection(model.text_model(ids, attention_mask=mask).pooler_output),
        "text_embeds",
        masked=True,
    )


def make_siglip() -> Network:
    model = SiglipModel(SiglipConfig(text_config=_TEXT | _TOKENS, vision_config=_VISION, attn_implementation="eager"))
    return Network(
        model,
        SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=2),
        lambda pixels: model.vision_model(pixels).pooler_output,
        "pooler_output",
        lambda ids: model.text_model(ids).pooler_output,
        "pooler_output",
    )


def make_dinov2() -> Network:
    model = Dinov2Model(Dinov2Config(**_VISION, attn_implementation="eager"))
    return Network(
        model,
        BitImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": SIDE, "width": SIDE}),
        lambda pixels: model(pixels).last_hidden_state,
        "last_hidden_state",
    )


@pytest.fixture(params=[make_clip, make_siglip, make_dinov2])
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    made: Network = request.param()
    made.model.eval()
    return made


@pytest.fixture
def embedder(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Embedder:
    """What the command makes of its repository."""
    with serving_hub(Hub({"acme/network": make_repository(network)})) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        template = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        done = CliRunner().invoke(get, ["hf:acme/network", "--lake", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return Embedder(open_folder(tmp_path.as_uri(), "network"))


def make_repository(network: Network) -> dict[str, bytes]:
    image = "onnx/vision_model.onnx" if network.texts else "onnx/model.onnx"
    pixels = torch.randn(2, 3, SIDE, SIDE)
    files = {
        "config.json": json.dumps(network.model.config.to_dict()).encode(),
        "preprocessor_config.json": network.processor.to_json_string().encode(),
        image: export(network.model, network.images, {"pixel_values": pixels}, network.output),
    }
    if network.texts:
        ids = torch.tensor([[1, 4, 5, 2], [1, 8, 9, 2]])
        inputs = {"input_ids": ids} | ({"attention_mask": torch.ones_like(ids)} if network.masked else {})
        files["onnx/text_model.onnx"] = export(network.model, network.texts, inputs, network.text_output)
        files["tokenizer.json"] = make_tokenizer().to_str().encode()
    return files


def export(
    model: torch.nn.Module, answer: Callable[..., torch.Tensor], inputs: dict[str, torch.Tensor], output: str
) -> bytes:
    file = io.BytesIO()
    axes = {name: {0: "batch", 1: "length"} if name != "pixel_values" else {0: "batch"} for name in inputs}
    if "pixel_values" not in inputs and "attention_mask" not in inputs:
        inputs = {name: torch.nn.functional.pad(value, (0, LENGTH - value.shape[1])) for name, value in inputs.items()}
        axes = {name: {0: "batch"} for name in inputs}
    torch.onnx.export(
        _Answer(model, answer).eval(),
        tuple(inputs.values()),
        file,
        input_names=list(inputs),
        output_names=[output],
        dynamic_axes=axes | {output: {0: "batch"}},
        opset_version=18,
        dynamo=False,
    )
    return file.getvalue()


def make_tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return made


def unit(vectors: torch.Tensor) -> NDArray[Any]:
    scaled: NDArray[Any] = torch.nn.functional.normalize(vectors, dim=-1).numpy()
    return scaled


def test_pictures_and_texts_have_the_vectors_of_transformers(network: Network, embedder: Embedder) -> None:
    # where the rest is odd, transformers' processors by Pillow cut a pixel beside those by torchvision
    scenes = [draw_scene(*size, seed) for seed, size in enumerate([(64, 48), (211, 335), (40, 39)])]
    pixels = network.processor(scenes, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        answers = network.images(pixels)
    expected = unit(answers[:, 0] if answers.ndim == 3 else answers)
    assert np.abs(embedder.embed_images(scenes) - expected).max() < 1e-5
    if network.texts:
        assert np.abs(embedder.embed_texts(TEXTS) - unit(embed_each(network))).max() < 1e-5


def embed_each(network: Network) -> torch.Tensor:
    """Each text by itself; padded to the whole length where the network has no mask."""
    assert network.texts
    rows, tokenizer = [], make_tokenizer()
    for text in TEXTS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        if not network.masked:
            ids = torch.nn.functional.pad(ids, (0, LENGTH - ids.shape[1]))
        with torch.no_grad():
            rows.append(network.texts(*([ids, torch.ones_like(ids)] if network.masked else [ids])))
    return torch.cat(rows)
