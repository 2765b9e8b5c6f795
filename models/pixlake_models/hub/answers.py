"""What a graph answers, where the layout does not say it: decided from config.json."""

from collections.abc import Mapping
from typing import Any, Literal

from pixlake.errors import NotServable
from pixlake_models.hub.graphs import Pooling, Read

Config = Mapping[str, Any]
Axes = tuple[int | None, ...]
IMAGES, TEXTS, CLASSES = "image_embeds", "text_embeds", "logits"
_PLACES, _POOLED = "last_hidden_state", "pooler_output"
# whose pooler_output is the one that images and texts are compared by
_COMPARED_POOLED = {"siglip", "siglip2", "siglip_vision_model", "siglip2_vision_model"}
# whose features are the vector of the first place, the class token, after the last norm
_FIRST = {"dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn", "vit_mae", "deit"}
# whose pooler_output is an average without weights of its own
_AVERAGED = {"convnext", "convnextv2", "dinov3_convnext", "resnet", "regnet", "efficientnet", "swin", "swinv2"}
_AVERAGED |= {"mobilenet_v1", "mobilenet_v2"}


def is_classifier(config: Config, outputs: Mapping[str, Axes]) -> bool:
    return CLASSES in outputs and bool(config.get("id2label"))


def read_images(config: Config, outputs: Mapping[str, Axes], *, compared: bool) -> Read:
    """The vector of an image; `compared` with those of texts. NotServable where config.json does not decide it."""
    family = str(config.get("model_type"))
    if IMAGES in outputs:
        return Read(IMAGES)
    if _POOLED in outputs and family in (_COMPARED_POOLED if compared else _COMPARED_POOLED | _AVERAGED):
        return Read(_POOLED)
    if _PLACES in outputs and not compared and (pooling := _find_pooling(family)):
        return Read(_PLACES, pooling)
    raise _undecided("images", family, outputs)


def read_texts(config: Config, outputs: Mapping[str, Axes]) -> Read:
    family = str(config.get("model_type"))
    if TEXTS in outputs:
        return Read(TEXTS)
    if _POOLED in outputs and family in _COMPARED_POOLED:
        return Read(_POOLED)
    raise _undecided("texts", family, outputs)


def read_width(config: Config, tower: Literal["vision_config", "text_config"]) -> int | None:
    """The length of a vector as config.json states it; None where it does not."""
    if width := config.get("projection_dim"):
        return int(width)
    part = config.get(tower) if isinstance(config.get(tower), dict) else config
    sizes = part.get("hidden_sizes") if part else None
    found = (part or {}).get("hidden_size") or (sizes[-1] if isinstance(sizes, list) and sizes else None)
    return int(found) if isinstance(found, int) else None


def _find_pooling(family: str) -> Pooling | None:
    if family in _FIRST:
        return "first"
    return "mean" if family in _AVERAGED else None


def _undecided(kind: str, family: str, outputs: Mapping[str, Axes]) -> NotServable:
    return NotServable(
        f"its graph answers {kind} with {sorted(outputs)}, of which none is known to be the vector of a {family!r}"
    )
