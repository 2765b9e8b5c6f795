"""A compiled network runs on the images that there are, and answers as AutoGluon, which runs it on absent ones too."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import timm
import torch
from autogluon.multimodal.constants import LOGITS
from autogluon.multimodal.models import timm_image
from autogluon.multimodal.models.clip import CLIPForImageText
from autogluon.multimodal.models.timm_image import TimmAutoModelForImagePrediction
from autogluon.multimodal.models.utils import run_model
from numpy.typing import NDArray
from timm.models.resnet import BasicBlock, ResNet
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from transformers import CLIPConfig, CLIPModel

from models.tests.convolved import count_convolved
from pixlake.bundles.manifest import ImageInput, Preprocessing
from pixlake_models.autogluon.graph import OUTPUT, Network, example_tensors, traceable
from pixlake_models.exporting.graphs import export_graph

pytestmark = pytest.mark.filterwarnings("ignore")
SIDE, CLASSES = 32, 3
_SMALL = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
Make = Callable[[Path, pytest.MonkeyPatch], Any]


def from_timm(make: Callable[[], Any], **settings: Any) -> Make:
    """AutoGluon's network around one of timm's, which need not be one that timm has a name for."""

    def build(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        backbone = make()
        pretrained = {"input_size": (3, SIDE, SIDE), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        config = {"architecture": "its own", "num_features": backbone.num_features, "pretrained_cfg": pretrained}
        (folder / "config.json").write_text(json.dumps(config))
        monkeypatch.setattr(timm_image, "create_model", lambda *_, **__: backbone)
        return TimmAutoModelForImagePrediction(
            prefix="timm_image", checkpoint_name=str(folder), num_classes=CLASSES, **settings
        )

    return build


def from_transformers(**settings: Any) -> Make:
    def build(folder: Path, _: pytest.MonkeyPatch) -> Any:
        vision, text = {"image_size": SIDE, "patch_size": 8}, {"vocab_size": 20, "max_position_embeddings": 8}
        config = CLIPConfig(vision_config=_SMALL | vision, text_config=_SMALL | text, projection_dim=16)
        CLIPModel(config).save_pretrained(folder)
        return CLIPForImageText(
            prefix="clip_image",
            checkpoint_name=str(folder),
            num_classes=CLASSES,
            has_text=False,
            image_norm="clip",
            **settings,
        )

    return build


def make_regnet() -> Any:
    return timm.create_model("regnetx_002", num_classes=0)


NETWORKS = {
    "RegNet": from_timm(make_regnet),
    "ResNet": from_timm(lambda: ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0)),
    "ConvNeXt": from_timm(lambda: timm.create_model("convnext_atto", num_classes=0)),
    "ViT": from_timm(lambda: VisionTransformer(SIDE, 8, embed_dim=32, depth=2, num_heads=2, num_classes=0)),
    "Swin": from_timm(
        lambda: SwinTransformer(
            SIDE, window_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 4), num_classes=0, global_pool="avg"
        )
    ),
    "CLIP": from_transformers(),
}


def declare(prefix: str, images: int) -> ImageInput:
    levels = (0.5, 0.5, 0.5)
    preprocessing = Preprocessing(SIDE, SIDE, "squash", "bicubic", (255, 255, 255), levels, levels)
    return ImageInput(f"{prefix}_image", preprocessing, images, f"{prefix}_image_valid_num", "zero")


def export(network: Any, images: int) -> bytes:
    declared = [declare(network.prefix, images)]
    with traceable(network):
        return export_graph(Network(network, declared), example_tensors(declared), OUTPUT)


def make_feeds(prefix: str, images: int, counts: Sequence[int]) -> dict[str, NDArray[Any]]:
    """There is something to see in the slots of absent images too, which is to change nothing."""
    pictures = 2 * torch.randn(len(counts), images, 3, SIDE, SIDE) + torch.randn(len(counts), images, 3, 1, 1)
    declared = declare(prefix, images)
    assert declared.count_tensor
    return {declared.tensor: pictures.numpy(), declared.count_tensor: np.array(counts, dtype=np.int64)}


def ask(network: Any, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """AutoGluon's answer, with the counts as it collates them."""
    with torch.no_grad():
        answer = run_model(network, {name: torch.from_numpy(value) for name, value in feeds.items()})
    logits: NDArray[Any] = answer[network.prefix][LOGITS].numpy()
    return logits


@pytest.mark.parametrize(
    ("images", "batches"),
    [(1, [[1, 0, 1], [1, 1], [0, 0], [0]]), (3, [[2, 0, 3, 1], [0, 0, 1], [3, 3], [1], [0, 0, 0], [0]])],
)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_runs_on_present_images_alone(
    name: str, images: int, batches: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](tmp_path, monkeypatch).eval()
    graph = export(network, images)
    session = ort.InferenceSession(graph)
    for counts in batches:
        feeds = make_feeds(network.prefix, images, counts)
        (found,) = session.run([OUTPUT], feeds)
        assert np.abs(found - ask(network, feeds)).max() < 1e-5
        assert count_convolved(graph, feeds) == (sum(counts) or 1)
    answers = session.run([OUTPUT], make_feeds(network.prefix, images, [1] * 4))[0]
    assert np.ptp(answers, axis=0).max() > 1e-3


@pytest.mark.parametrize(
    ("make", "slots"),
    [
        (from_timm(make_regnet, use_learnable_image=True), 3),
        (from_transformers(use_learnable_image=True), 3),
        (from_timm(make_regnet, mix_choice="all_images"), 1),
    ],
    ids=["learnable", "learnable of CLIP", "mixed before"],
)
def test_a_network_for_which_absent_images_count_runs_on_them(
    make: Make, slots: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, seen = make(tmp_path, monkeypatch).eval(), list[int]()
    convolution = next(each for each in network.modules() if isinstance(each, torch.nn.Conv2d))
    convolution.register_forward_hook(lambda *given: seen.append(len(given[-1])))
    feeds = make_feeds(network.prefix, 3, [2, 1, 3, 0])
    expected = ask(network, feeds)
    with traceable(network):
        assert np.array_equal(ask(network, feeds), expected)
    assert seen == [len(expected) * slots] * 2


@pytest.mark.parametrize("name", ["RegNet", "CLIP"])
def test_a_network_is_restored_after_tracing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS[name](tmp_path, monkeypatch).eval()
    with pytest.raises(RuntimeError, match="no graph"), traceable(network):
        raise RuntimeError("no graph")
    hooks = [[*each._forward_hooks, *each._forward_pre_hooks] for each in network.modules()]
    assert not any(hooks)
