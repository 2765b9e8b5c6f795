"""What several tests need: a model of each kind, as small as it can be. At the end, how near each bundle came."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from open_clip.model import CLIP
from PIL import Image
from tokenizers import Tokenizer

from demo.captions import LENGTH, pad_token, train_tokenizer
from demo.unicode import Emoji
from pixlake.bundles.manifest import Preprocessing
from pixlake_models.clip.export import ClipSource

SIDE = 32
_PARITY = ("cosine", "difference", "differ", "same_", "agreement")
_parity = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def parity(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what every bundle that the tests wrote says of its parity, for the summary."""
    yield
    lines = pytestconfig.stash.setdefault(_parity, [])
    for path in sorted(tmp_path_factory.getbasetemp().rglob("bundle.json")):
        described = json.loads(path.read_text())
        figures = _parity_figures(described.get("metrics", {}))
        lines += [f"{described['name']:<28} {figures}"] if figures else []


def _parity_figures(metrics: dict[str, Any]) -> str:
    found = ((key, value) for key, value in metrics.items() if isinstance(value, float | int))
    return "  ".join(f"{key} {value:.7g}" for key, value in found if any(part in key for part in _PARITY))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("parity of the bundles with the models that they were made of")
    lines: list[str] = config.stash.get(_parity, [])
    for line in dict.fromkeys(lines):
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    names = ("hammer", "red heart", "cat with tears of joy")
    return train_tokenizer([Emoji((), name, "Objects", "tool", "1.0", ("metal", "hit")) for name in names])


@pytest.fixture(scope="session")
def clip_source(tokenizer: Tokenizer) -> ClipSource:
    torch.manual_seed(0)
    vision = {"image_size": SIDE, "patch_size": 8, "layers": 1, "width": 32, "head_width": 16}
    text = {"context_length": LENGTH, "vocab_size": tokenizer.get_vocab_size(), "width": 32, "heads": 2, "layers": 1}
    return ClipSource(
        model=CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text),
        tokenizer=tokenizer,
        preprocessing=Preprocessing(
            width=SIDE,
            height=SIDE,
            resize="shortest",
            interpolation="bicubic",
            background=(255, 255, 255),
            mean=(0.5, 0.4, 0.3),
            std=(0.5, 0.6, 0.7),
        ),
        pad=pad_token(tokenizer),
        length=LENGTH,
        source={"origin": "a test", "licence": "Apache-2.0"},
        texts=["red hammer", "cat", "metal " * 40],
    )


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pandas.DataFrame:
    """Sixty records with a picture each: numbers and categories with gaps, a label that follows from them."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    labels = random.choice(["bird", "fish", "newt"], 60)
    paths = []
    for index, label in enumerate(labels):
        paths.append(str(folder / f"{index:02}.png"))
        noise = random.integers(0, 120, (24 + index % 7, 40, 3), dtype=np.uint8)
        noise[..., ["bird", "fish", "newt"].index(label)] += 100
        Image.fromarray(noise).save(paths[-1])
    frame = pandas.DataFrame({"label": labels, "image": paths})
    frame["weight"] = random.normal(50, 20, 60) + 10 * (labels == "fish")
    frame["age"] = random.integers(0, 12, 60).astype(float)
    frame["colour"] = np.where(labels == "newt", "green", random.choice(["red", "blue", "green"], 60))
    frame["home"] = random.choice(["sea", "0123", "a, b"], 60)
    frame.loc[::9, "age"] = None
    frame.loc[::11, "colour"] = None
    return frame


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a bundle named `tiny` goes, in a lake of its own at `tmp_path`."""
    return tmp_path / "models" / "tiny"
