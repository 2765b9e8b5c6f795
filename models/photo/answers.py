"""The answers of the original network to photographs, for a test that needs no torch.

`python -m photo.answers PACKAGES PHOTOGRAPHS` prints them as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image

from photo.weights import NETWORK, find_file, load_original
from pixlake_models.timm.preprocessing import read_preprocessing

_DIGITS = 6
_BEST = 5


def answer(packages: Path, photographs: Path) -> dict[str, list[dict[str, Any]]]:
    """The most probable classes of each photograph, best first."""
    network = load_original(find_file(packages))
    _, transform = read_preprocessing(timm.create_model(NETWORK))
    found = {}
    for path in sorted(photographs.glob("*.jpg")):
        with Image.open(path) as image, torch.no_grad():
            best = network(transform(image)[None])[0].softmax(0).topk(_BEST)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        found[path.name] = [{"class_id": index, "score": round(score, _DIGITS)} for index, score in pairs]
    return found


if __name__ == "__main__":
    answers = answer(*map(Path, sys.argv[1:]))
    print(json.dumps(answers, indent=1))
