"""A residual network for pictures of 64 pixels, as a timm model that open_clip and AutoGluon can both build by name."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg

ARCHITECTURE = "emoji_resnet"
SIDE = 64
FEATURES = 192
MEAN = STD = (0.5, 0.5, 0.5)
PRETRAINED_CFG: dict[str, Any] = {
    "input_size": (3, SIDE, SIDE),
    "pool_size": (4, 4),
    "num_classes": 0,
    "interpolation": "bicubic",
    "crop_pct": 1.0,
    "mean": MEAN,
    "std": STD,
    "first_conv": "stem.conv",
    "classifier": "head.fc",
}
default_cfgs = generate_default_cfgs({f"{ARCHITECTURE}.untrained": PRETRAINED_CFG})  # timm looks for it by this name
_CONFIG = ByoModelCfg(
    blocks=tuple(
        ByoBlockCfg("basic", d=1, c=channels, s=stride)
        for channels, stride in ((32, 1), (64, 2), (128, 2), (FEATURES, 2))
    ),
    stem_chs=32,
    stem_type="3x3",
    stem_pool=None,
    act_layer="silu",
)


def emoji_resnet(pretrained: bool = False, **kwargs: Any) -> ByobNet:
    """0.9 million parameters; its deepest features are 4 × 4."""
    model: ByobNet = build_model_with_cfg(
        ByobNet,
        ARCHITECTURE,
        pretrained,
        model_cfg=_CONFIG,
        feature_cfg={"flatten_sequential": True},
        **kwargs,
    )
    return model


register_model(emoji_resnet)
