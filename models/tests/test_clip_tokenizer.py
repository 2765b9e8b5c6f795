"""Texts get the very tokens that open_clip gives them, by its own byte pairs or a tokenizer of transformers'."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
from open_clip.tokenizer import HFTokenizer, SigLipTokenizer, SimpleTokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from pixlake.bundles.manifest import TextInput
from pixlake.errors import NotServable
from pixlake.inference.encoders import TextEncoder
from pixlake_models.clip.export import export_open_clip
from pixlake_models.clip.loading import load_clip
from pixlake_models.clip.tokenizer import read_tokenizer
from pixlake_models.exporting.export import Request, prove_and_write
from pixlake_models.exporting.texts import make_texts

CLIP = SimpleTokenizer()
SPECIAL = ["<pad>", "</s>", "<unk>"]


def read_encoder(source: Any) -> TextEncoder:
    """As a bundle has it: through the bytes of tokenizer.json."""
    words = read_tokenizer(source)
    declared = TextInput("text", "tokenizer.json", words.length, words.pad, cleaning=words.cleaning)
    return TextEncoder(declared, words.tokenizer.to_str().encode())


ENCODER = read_encoder(CLIP)


def differing(texts: list[str], source: Any = CLIP, encoder: TextEncoder = ENCODER) -> list[str]:
    rows = (source(texts).numpy() != encoder.encode(texts)["text"]).any(axis=1)
    return [texts[index] for index in np.flatnonzero(rows)]


def test_tokens_of_languages_and_hard_cases_equal_open_clips() -> None:
    assert len(make_texts()) >= 300
    assert differing(list(make_texts())) == []


@pytest.mark.parametrize("context", ["{0}", "a{0}b", "1{0} {0}'s"])
def test_tokens_of_characters_of_all_planes_equal_open_clips(context: str) -> None:
    points = [*range(0, 0x3000, 3), *range(0x3000, 0x110000, 397)]
    assert differing([context.format(chr(point)) for point in points]) == []


def test_tokens_of_any_mixture_of_characters_equal_open_clips() -> None:
    draw = random.Random(1)
    named = [
        "<start_of_text>",
        "<END_OF_TEXT>",
        "'S",
        "'ll",
        "'",
        "ſ",
        "<",
        ">",
        "!",
        " ",
        "a",
        "9",
        "\u0345",
        "&lt",
        "Ã©",
    ]
    pools = [range(0x20, 0x7F), range(0x250), range(0x300, 0x600), range(0x1F300, 0x1F700), range(0x110000)]

    def piece() -> str:
        return draw.choice(named) if draw.random() < 0.5 else chr(draw.choice(draw.choice(pools)))

    assert differing(["".join(piece() for _ in range(draw.randint(1, 20))) for _ in range(5_000)]) == []


def test_the_tokenizer_does_not_depend_on_the_unicode_version_of_its_library() -> None:
    """Else a newer library would cut words otherwise."""
    assert "\\p{" not in read_tokenizer(CLIP).tokenizer.to_str()


def train_tokenizer(folder: Path, **settings: Any) -> Path:
    """A unigram tokenizer as SigLIP's, saved by transformers."""
    trained = Tokenizer(models.Unigram())
    trained.normalizer = normalizers.NFKC()
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    trained.train_from_iterator(["a photo of a red hammer", "two dogs run on the beach"] * 20, trainer)
    trained.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=trained, **special, **settings).save_pretrained(folder)
    return folder


def write_siglip(folder: Path, **tokenizer: Any) -> Path:
    vision = {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    words = {"hf_tokenizer_name": str(train_tokenizer(folder / "words", **tokenizer)), "context_length": 16}
    words |= {"tokenizer_kwargs": {"clean": "canonicalize"}, "vocab_size": 120, "width": 32, "heads": 2, "layers": 1}
    words |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last"}
    path = folder / f"{folder.name}.json"
    config = {"embed_dim": 32, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": words}
    path.write_text(json.dumps(config))
    return path


def test_a_siglip_is_exported_with_the_tokenizer_of_transformers(tmp_path: Path) -> None:
    config, target = write_siglip(tmp_path), tmp_path / "models" / "siglip"
    written = prove_and_write(export_open_clip(Request(str(config), "none")), target)
    figures = {each.name: each.value for each in written.figures}
    assert figures["text_tokens_differ"] == 0
    assert figures["text_cosine"] == pytest.approx(1)
    manifest = json.loads((target / "bundle.json").read_text())
    assert (manifest["text"]["bias"], manifest["text"]["input"]["cleaning"]) == (-10, "canonical")
    (tokens,) = load_clip(Request(str(config), "none")).tokenize(["Two dogs, on_the beach!"])
    assert (
        tokens.tolist()
        == open_clip.get_tokenizer(config.stem).tokenizer(
            ["two dogs on the beach"], padding="max_length", max_length=16, truncation=True
        )["input_ids"]
    )


@pytest.mark.parametrize("clean", ["whitespace", "lower", "canonicalize"])
def test_tokens_after_every_cleaning_equal_open_clips(tmp_path: Path, clean: str) -> None:
    source = HFTokenizer(str(train_tokenizer(tmp_path)), context_length=16, clean=clean)
    source.tokenizer.batch_encode_plus = source.tokenizer.__call__
    assert differing(list(make_texts()), source, read_encoder(source)) == []


def refuse(source: Any, reason: str) -> None:
    with pytest.raises(NotServable, match=reason):
        read_tokenizer(source)


def test_tokenizers_that_a_bundle_cannot_express_are_refused(tmp_path: Path) -> None:
    refuse(SimpleTokenizer(reduction_mask="random"), "leaves words out")
    refuse(HFTokenizer(str(train_tokenizer(tmp_path / "separator")), strip_sep_token=True), "takes the separator away")
    refuse(HFTokenizer(str(train_tokenizer(tmp_path / "left", padding_side="left"))), "pads or cuts texts on the left")
    refuse(SigLipTokenizer.__new__(SigLipTokenizer), "SigLipTokenizer, which a bundle cannot express")
