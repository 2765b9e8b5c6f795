"""The hub's cache with repositories in it, as huggingface_hub keeps it: no hub is needed offline."""

from collections.abc import Mapping
from pathlib import Path

import pytest

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cache_repository(monkeypatch: pytest.MonkeyPatch, cache: Path, repository: str, files: Mapping[str, bytes]) -> None:
    """Make `cache` the cache, with the repository `owner/name`."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(_COMMIT)
    for name, data in files.items():
        path = folder / "snapshots" / _COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
