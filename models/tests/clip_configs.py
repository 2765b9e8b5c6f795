"""Configurations of open_clip's for models that are as small as they can be."""

import json
from pathlib import Path
from typing import Any

VISION = {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}


def write_clip_config(folder: Path, name: str, **settings: Any) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT, **settings}))
    return path
