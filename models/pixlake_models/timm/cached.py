"""The file of weights that timm read from its hub, or by a URL, where it was kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from huggingface_hub import try_to_load_from_cache
from timm.models._hub import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME, get_cache_dir, hf_split


def find_weights(settings: Mapping[str, Any]) -> Path | None:
    """The file, by a network's `pretrained_cfg`, or None where none is kept."""
    return next((path for path in _places(settings) if path.is_file()), None)


def _places(settings: Mapping[str, Any]) -> Iterator[Path]:
    """In the order in which timm looks."""
    if hub := settings.get("hf_hub_id"):
        repository, revision = hf_split(hub)
        for name in _names(settings.get("hf_hub_filename") or HF_WEIGHTS_NAME):
            found = try_to_load_from_cache(repository, name, revision=revision)
            if isinstance(found, str):
                yield Path(found)
    if url := settings.get("url"):
        yield Path(get_cache_dir()) / Path(urlparse(url).path).name


def _names(name: str) -> tuple[str, ...]:
    if name == HF_WEIGHTS_NAME:
        return HF_SAFE_WEIGHTS_NAME, name
    return (f"{name.removesuffix('.bin')}.safetensors", name) if name.endswith(".bin") else (name,)
