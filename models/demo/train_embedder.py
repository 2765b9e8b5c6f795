"""Train a small CLIP with open_clip on emoji and their captions, without the sample's emoji.

`python -m demo.train_embedder FOLDER [EPOCHS]` writes open_clip's model configuration, weights and a tokenizer there.
An interrupted run continues from its last checkpoint.
"""

import json
import logging
import math
import random
import sys
from pathlib import Path
from typing import Any

import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from demo import backbone
from demo.captions import LENGTH, VOCABULARY, keyword_caption, name_caption, train_tokenizer
from demo.families import divide
from demo.pictures import augment_pictures, load_pictures
from demo.unicode import Emoji, read_emoji

log = logging.getLogger(__name__)
CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "timm_model_name": backbone.ARCHITECTURE,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": backbone.SIDE,
    },
    "text_cfg": {"context_length": LENGTH, "vocab_size": VOCABULARY, "width": 128, "heads": 4, "layers": 2},
}
EPOCHS, BATCH, RATE, WARM_UP, DECAY = 72, 256, 1.5e-3, 40, 0.1
GREATEST_SCALE = math.log(100)  # CLIP's own limit on the temperature
CHECKPOINT_EVERY = 10


class Examples:
    """The training emoji; an epoch shows each once, in a random skin tone where it has several."""

    def __init__(self, emoji: list[Emoji]) -> None:
        self.emoji = emoji
        self.pictures = load_pictures(emoji)
        self._choices: dict[tuple[int, ...], list[int]] = {}
        for index, one in enumerate(emoji):
            self._choices.setdefault(one.toneless, []).append(index)

    def batches(self, draw: random.Random) -> list[list[int]]:
        order = [draw.choice(indices) for indices in self._choices.values()]
        draw.shuffle(order)
        return [order[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]


def _encode(tokenizer: Tokenizer, captions: list[str]) -> Tensor:
    return torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(captions)])


def _rate(step: int, steps: int) -> float:
    """A share of the peak: warm-up, then half a cosine."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def _optimizer(model: CLIP) -> torch.optim.Optimizer:
    """AdamW that leaves gains and biases undecayed."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE)


def _loss(model: CLIP, tokenizer: Tokenizer, examples: Examples, batch: list[int], draw: random.Random) -> Tensor:
    """CLIP's loss of the pictures with their names, and again with their keywords."""
    pictures = augment_pictures(examples.pictures[batch]).contiguous(memory_format=torch.channels_last)
    tokens = [
        _encode(tokenizer, [caption(examples.emoji[index], draw) for index in batch])
        for caption in (name_caption, keyword_caption)
    ]
    with torch.autocast("cpu", torch.bfloat16):
        images, texts = model.encode_image(pictures), model.encode_text(torch.cat(tokens))
    images, texts = (functional.normalize(each.float(), dim=-1) for each in (images, texts))
    scale = model.logit_scale.exp()
    losses = [ClipLoss()(images, half, scale) for half in texts.chunk(2)]
    return torch.stack(losses).mean()


def train(model: CLIP, tokenizer: Tokenizer, examples: Examples, epochs: int, checkpoint: Path) -> None:
    optimizer = _optimizer(model)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"]
    model.train().to(memory_format=torch.channels_last)
    for epoch in range(first, epochs):
        draw = random.Random(epoch)
        torch.manual_seed(epoch)
        batches = examples.batches(draw)
        losses = []
        for index, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = RATE * _rate(epoch * len(batches) + index, epochs * len(batches))
            loss = _loss(model, tokenizer, examples, batch, draw)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.logit_scale.data.clamp_(0, GREATEST_SCALE)
            losses.append(loss.item())
        log.info("epoch %d of %d: loss %.3f", epoch + 1, epochs, sum(losses) / len(losses))
        if (epoch + 1) % CHECKPOINT_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}
            torch.save(state, checkpoint)


def main(folder: Path, epochs: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    training, _ = divide(read_emoji())
    tokenizer = train_tokenizer(training)
    model = CLIP(**CONFIG)
    train(model, tokenizer, Examples(training), epochs, folder / "checkpoint.pt")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=2))
    torch.save(model.state_dict(), folder / "open_clip_model.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else EPOCHS)
