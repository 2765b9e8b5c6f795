"""Texts: the bundle's tokens are AutoGluon's, whatever the tokenizer; and networks for text answer for any length."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnxruntime as ort
import pytest
import torch
import transformers
from autogluon.multimodal.data.process_text import TextProcessor
from autogluon.multimodal.models.hf_text import HFAutoModelForTextPrediction
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from models.tests.pets import save_tokenizer
from pixlake.bundles.manifest import TextInput, TokenSequence
from pixlake.errors import NotServable
from pixlake.inference.encoders import Example, SequenceEncoder
from pixlake_models.autogluon.graph import OUTPUT, Network, example_tensors, token_tensors, traceable
from pixlake_models.autogluon.text import read_text, write_tokenizers
from pixlake_models.autogluon.variations import LONG, TEXTS
from pixlake_models.exporting.graphs import export_graph

pytestmark = pytest.mark.filterwarnings("ignore")
LENGTH = 24
COLUMNS = ("name", "story", "title")
SAMPLE = ["a kitten loves children", "the puppy sleeps all day", "Ünïcödé 漢字 1 2 3", *TEXTS[:5]]
ODD = ["", " ", "\n\t", "kitten", LONG * 3, "[SEP] </s> <s> <pad> [CLS]", *TEXTS]


def wordpiece() -> PreTrainedTokenizerFast:
    """As BERT's: it opens with [CLS], and [SEP] closes each text."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(SAMPLE, trainers.WordPieceTrainer(special_tokens=special, show_progress=False))
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=made, **named)


def byte_pairs() -> PreTrainedTokenizerFast:
    """As RoBERTa's: bytes, <s> and </s>."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(SAMPLE, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, cls_token="<s>", pad_token="<pad>", sep_token="</s>")


def unigram() -> PreTrainedTokenizerFast:
    """As T5's: there is an end, and nothing at the start."""
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(special_tokens=special, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(SAMPLE, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


TOKENIZERS = {"WordPiece": wordpiece, "byte pairs": byte_pairs, "unigram": unigram}


def process(tokenizer: Any, **changes: Any) -> TextProcessor:
    model = SimpleNamespace(prefix="hf_text", tokenizer_name="hf_auto", tokenizer=tokenizer)
    model.max_text_len, model.text_segment_num = LENGTH, changes.pop("segments", 2)
    settings = {"template_config": SimpleNamespace(turn_on=False), **changes}
    return TextProcessor(model, **settings)


def table(**types: str) -> Any:
    """The part of a fitted preprocessor that knows the columns."""
    types = types or dict.fromkeys(COLUMNS, "text")
    return SimpleNamespace(text_feature_names=list(types), column_types=types)


def network(**changes: Any) -> Any:
    return Mock(spec=HFAutoModelForTextPrediction, **{"disable_seg_ids": False, **changes})


def records() -> list[dict[str, str]]:
    """Each odd text in each column, and mixtures of them."""
    chosen = random.Random(0)
    mixed = [dict(zip(COLUMNS, chosen.choices([*ODD, *SAMPLE], k=len(COLUMNS)), strict=True)) for _ in range(60)]
    return mixed + [dict.fromkeys(COLUMNS, "") | {name: text} for name in COLUMNS for text in ODD]


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize(
    ("kind", "insert_sep"),
    [("WordPiece", True), ("WordPiece", False), ("byte pairs", True), ("byte pairs", False), ("unigram", True)],
)
def test_tokens_and_segments_are_autogluons(kind: str, insert_sep: bool, segments: int) -> None:
    processor = process(TOKENIZERS[kind](), insert_sep=insert_sep, segments=segments)
    processor.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    declared = read_text(processor, network(), table())
    assert declared.sequence
    files = write_tokenizers(SimpleNamespace(_data_processors={"text": [processor]}))
    encoder = SequenceEncoder(declared, declared.sequence, files[declared.tokenizer])
    feeds = encoder.feeds([Example(record) for record in records()])
    longest = feeds[declared.tensor].shape[1]
    assert longest == LENGTH
    for row, record in enumerate(records()):
        wanted = processor(record, {}, is_training=False)
        tokens = wanted["hf_text_text_token_ids"].tolist()
        padding = [processor.tokenizer.pad_token_id] * (longest - len(tokens))
        assert feeds[declared.tensor][row].tolist() == tokens + padding
        assert feeds["hf_text_mask"][row].sum() == wanted["hf_text_text_valid_length"]
        if not processor.eos_only:  # there AutoGluon counts a segment too many, which no such network looks at
            found = feeds["hf_text_text_segment_ids"][row][: len(tokens)].tolist()
            assert found == wanted["hf_text_text_segment_ids"].tolist()


def test_a_network_without_segments_gets_none() -> None:
    processor = process(wordpiece())
    processor.tokenizer.model_input_names = ["input_ids", "attention_mask"]
    declared = read_text(processor, network(), table())
    assert declared.sequence
    assert declared.sequence.segment_tensor is None
    processor.tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    declared = read_text(processor, network(disable_seg_ids=True), table())
    assert declared.sequence
    assert declared.sequence.segment_tensor is None


def test_text_processing_beyond_tokens_is_refused() -> None:
    plain, templated = process(wordpiece()), process(wordpiece())
    templated.template_config = SimpleNamespace(turn_on=True)
    cases: list[tuple[Any, Any, Any, str]] = [
        (plain, Mock(), table(), "through hf_text"),
        (process(wordpiece(), normalize_text=True), network(), table(), "normalize_text"),
        (process(wordpiece(), stochastic_chunk=True), network(), table(), "stochastic_chunk"),
        (process(unigram(), insert_sep=False), network(), table(), "insert_sep"),
        (templated, network(), table(), "templates"),
        (plain, network(), table(story="text", breed="categorical"), "convert_to_text"),
    ]
    for processor, model, columns, reason in cases:
        with pytest.raises(NotServable, match=reason):
            read_text(processor, model, columns)


@dataclass(frozen=True)
class Family:
    """Networks of one architecture, as small as they can be."""

    config: type[Any]
    model: type[Any]
    shape: Mapping[str, Any]


_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_NAMED = {"vocab_size": 200, "max_position_embeddings": 64, "pad_token_id": 0, **_SMALL}
FAMILIES = {
    "BERT": Family(transformers.BertConfig, transformers.BertModel, _NAMED),
    "RoBERTa": Family(transformers.RobertaConfig, transformers.RobertaModel, {**_NAMED, "type_vocab_size": 1}),
    "DistilBERT": Family(
        transformers.DistilBertConfig,
        transformers.DistilBertModel,
        {"vocab_size": 200, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64},
    ),
    "DeBERTa": Family(
        transformers.DebertaV2Config,
        transformers.DebertaV2Model,
        {
            **_NAMED,
            "relative_attention": True,
            "position_buckets": 16,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "T5": Family(
        transformers.T5Config,
        transformers.T5Model,
        {"vocab_size": 200, "d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 2, "num_heads": 2},
    ),
    "ModernBERT": Family(
        transformers.ModernBertConfig,
        transformers.ModernBertModel,
        {**_NAMED, "local_attention": 8, "global_attn_every_n_layers": 2},
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_for_text_answers_for_any_number_of_tokens(name: str, tmp_path: Path) -> None:
    """Padded or not, and as AutoGluon runs it: with its fused attention, and no wider than the longest text."""
    family = FAMILIES[name]
    save_tokenizer(tmp_path)
    torch.manual_seed(0)
    family.model(family.config(**family.shape)).save_pretrained(tmp_path)
    model = HFAutoModelForTextPrediction(
        prefix="hf_text", checkpoint_name=str(tmp_path), num_classes=3, max_text_len=40, text_segment_num=2
    ).eval()
    segments = None if model.disable_seg_ids or name in ("DistilBERT", "T5", "ModernBERT") else "segments"
    sequence = TokenSequence(("story",), end=3, start=2, segments=2, segment_tensor=segments)
    declared = TextInput(
        "hf_text_text_token_ids", "t.json", 40, 0, mask_tensor="mask", padding="longest", sequence=sequence
    )
    with traceable(model):
        graph = export_graph(Network(model, [declared]), example_tensors([declared]), OUTPUT, token_tensors([declared]))
    session = ort.InferenceSession(graph)
    for rows, width in ((1, 3), (3, 17), (5, 40)):
        lengths = torch.randint(2, width, (rows,))
        mask = (torch.arange(width) < lengths[:, None]).long()
        tokens = torch.randint(4, 200, (rows, width)) * mask
        with torch.no_grad():
            expected = model(tokens[:, : lengths.max()], torch.zeros_like(tokens[:, : lengths.max()]), lengths)[1]
        feeds = {"hf_text_text_token_ids": tokens, "mask": mask, "segments": torch.zeros_like(tokens)}
        taken = {each.name: feeds[each.name].numpy() for each in session.get_inputs()}
        (found,) = session.run(None, taken)
        assert np.abs(found - expected.numpy()).max() < 1e-5
    assert np.ptp(found, axis=0).max() > 1e-3
