"""Texts are cleaned as docs/bundles.md says; models/tests/test_clip_tokenizer.py proves that open_clip does so."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.bundles.manifest import Cleaning, Manifest, Output, TextInput
from pixlake.bundles.parsing import encode, parse
from pixlake.errors import BadBundle
from pixlake.inference.cleaning import clean_text
from pixlake.inference.encoders import TextEncoder
from tests.builders.tiny import tokenizer


@pytest.mark.parametrize(
    ("cleaning", "expected"),
    [
        ("none", "  A_b, schÃ¶n &amp;lt;B&gt;\tİΣ\N{REPLACEMENT CHARACTER} "),
        ("whitespace", "A_b, schön <B> İΣ\N{REPLACEMENT CHARACTER}"),
        ("lower", "a_b, schön <b> i̇ς\N{REPLACEMENT CHARACTER}"),
        ("canonical", "a b schön b i̇ς\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_each_cleaning_gives_its_text(cleaning: Cleaning, expected: str) -> None:
    assert clean_text("  A_b, schÃ¶n &amp;lt;B&gt;\tİΣ\ud800 ", cleaning) == expected


@pytest.mark.parametrize("cleaning", ["none", "whitespace", "lower", "canonical"])
@given(text=st.text(st.characters()))
def test_any_text_becomes_one_that_a_tokenizer_takes(cleaning: Cleaning, text: str) -> None:
    assert clean_text(text, cleaning).encode().decode() == clean_text(text, cleaning)


def test_a_text_encoder_cleans() -> None:
    raw, cleaned = (TextEncoder(TextInput("t", "t", 4, 0, cleaning=each), tokenizer()) for each in ("none", "lower"))
    assert (
        cleaned.encode(["RED\u00a0&#98;lue"])["t"].tolist() == raw.encode(["red blue"])["t"].tolist() == [[2, 4, 0, 0]]
    )


def test_a_column_of_a_table_is_not_cleaned() -> None:
    """So that the containers, which encode columns, need no ftfy."""
    manifest = Manifest(
        format=1,
        name="tiny",
        kind="record_classifier",
        inputs=(TextInput("t", "tokenizer.json", 4, 0, column="name"),),
        graph="model.onnx",
        output=Output("answer", "softmax"),
        files={"model.onnx": "0" * 64, "tokenizer.json": "0" * 64},
        source={},
        problem="binary",
        labels=("no", "yes"),
    )
    assert parse(encode(manifest), "here") == manifest
    cleaned = (TextInput("t", "tokenizer.json", 4, 0, column="name", cleaning="lower"),)
    with pytest.raises(BadBundle, match="here: a text column that is cleaned"):
        parse(encode(msgspec.structs.replace(manifest, inputs=cleaned)), "here")
