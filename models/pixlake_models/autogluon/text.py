"""AutoGluon's reading of text columns, as a text input of a bundle: its tokenizer, and how it joins the columns.

`TextProcessor` encodes each column without special tokens, cuts the longest ones and joins them itself, as a bundle's
`sequence` describes.
"""

from collections.abc import Iterator
from typing import Any

from autogluon.multimodal.constants import TEXT
from autogluon.multimodal.models.hf_text import HFAutoModelForTextPrediction

from pixlake.bundles.manifest import TextInput, TokenSequence
from pixlake.errors import NotServable


def read_text(processor: Any, network: Any, columns: Any) -> TextInput:
    """The input of one network for text; NotServable for what AutoGluon does beyond tokens."""
    for fault in _faults(processor, network, columns):
        raise NotServable(f"{processor.prefix}: {fault}")
    tokenizer = processor.tokenizer
    segmented = not network.disable_seg_ids and "token_type_ids" in tokenizer.model_input_names
    return TextInput(
        tensor=processor.text_token_ids_key,
        tokenizer=tokenizer_file(processor),
        length=processor.max_len,
        pad=tokenizer.pad_token_id or 0,
        mask_tensor=f"{processor.prefix}_mask",
        padding="longest",
        sequence=TokenSequence(
            columns=tuple(columns.text_feature_names),
            end=processor.eos_token_id,
            start=None if processor.eos_only else processor.cls_token_id,
            separate=processor.insert_sep,
            segments=processor.text_segment_num,
            segment_tensor=processor.text_segment_ids_key if segmented else None,
        ),
    )


def tokenizer_file(processor: Any) -> str:
    """The bundle's file with the tokenizer of one network for text."""
    return f"{processor.prefix}.tokenizer.json"


def write_tokenizers(learner: Any) -> dict[str, bytes]:
    """Each network's tokenizer, as the `tokenizers` library writes it."""
    processors = learner._data_processors.get(TEXT, ())
    return {tokenizer_file(each): each.tokenizer.backend_tokenizer.to_str().encode() for each in processors}


def _faults(processor: Any, network: Any, columns: Any) -> Iterator[str]:
    """Settings that a bundle's text input cannot express."""
    if not isinstance(network, HFAutoModelForTextPrediction):
        yield f"a bundle's text goes through hf_text, not through a {type(network).__name__}"
    if not processor.tokenizer.is_fast:
        yield "its tokenizer is not one of the `tokenizers` library (use_fast)"
    if processor.eos_token_id != processor.sep_token_id:
        yield "its tokenizer has one token between texts and another at the end"
    if processor.eos_only and not processor.insert_sep:
        yield "without a token at the start and between texts (insert_sep) AutoGluon fails on a record without text"
    if processor.template_config.turn_on:
        yield "it fills templates (data.templates)"
    if processor.normalize_text:
        yield "it normalizes text (data.text.normalize_text)"
    if processor.stochastic_chunk:
        yield "it reads a random piece of a long text (stochastic_chunk)"
    for name in columns.text_feature_names:
        if columns.column_types[name] != TEXT:
            yield f"it writes the {columns.column_types[name]} column {name!r} as text (convert_to_text)"
