"""Values become tensors as the bundle says, for any text that a table may hold."""

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pixlake.bundles.manifest import (
    CategoricalInput,
    ImageInput,
    NumericalColumn,
    NumericalInput,
    TextInput,
    TokenSequence,
)
from pixlake.errors import BadBundle
from pixlake.inference.encoders import (
    CategoricalEncoder,
    Example,
    ImageEncoder,
    NumericalEncoder,
    SequenceEncoder,
    TextEncoder,
    standardize,
)
from tests.builders.tiny import spec, tokenizer

AGE = NumericalColumn(name="age", fill=7.0, mean=2.0, scale=4.0)
FILLED = (7.0 - 2.0) / 4.0


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), (" 10 ", 10), ("-1.5", -1.5), ("+.5", 0.5), ("3.", 3), ("1e3", 1000), ("2E-1", 0.2), ("0010", 10)],
)
def test_numbers_are_parsed_and_standardized(text: str, value: float) -> None:
    assert standardize(text, AGE) == pytest.approx((value - 2) / 4)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "n/a",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1,234",
        "1_000",
        "0x10",
        "1 2",
        "٣",
        "５",
        "1e",
        ".",
        "--1",
        "1e999",
        "1e40",
    ],
)
def test_a_cell_that_is_no_number_gets_the_fill_value(text: str | None) -> None:
    assert standardize(text, AGE) == FILLED


@given(st.floats(-1e30, 1e30))
def test_any_float_written_by_python_is_parsed(value: float) -> None:
    assert standardize(repr(value), AGE) == pytest.approx((value - 2) / 4)


@given(st.text())
def test_any_text_gives_a_finite_float32(text: str) -> None:
    value = np.float32(standardize(text, AGE))
    assert math.isfinite(value)
    if not any(character.isdigit() for character in text):
        assert value == np.float32(FILLED)


def test_a_batch_of_numbers_is_one_float32_matrix() -> None:
    encoder = NumericalEncoder(NumericalInput(tensor="n", columns=(AGE, NumericalColumn("fee", 0.0, 0.0, 1.0))))
    examples = [Example({"age": "6", "fee": "2.5"}), Example({"fee": None}), Example({"other": "1"})]
    feeds = encoder.feeds(examples)
    assert feeds["n"].dtype == np.float32
    assert feeds["n"].tolist() == [[1.0, 2.5], [FILLED, 0.0], [FILLED, 0.0]]


COLOR = CategoricalEncoder(CategoricalInput("c", "color", ("red", "green"), unknown=2, missing=3))


@pytest.mark.parametrize(("value", "code"), [("red", 0), ("green", 1), ("Red", 2), (" red", 2), ("", 3), (None, 3)])
def test_categories_become_codes(value: str | None, code: int) -> None:
    assert COLOR.feeds([Example({"color": value})])["c"].tolist() == [code]


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.text())))
def test_any_other_record_is_unknown_or_missing(attributes: dict[str, str | None]) -> None:
    assume(attributes.get("color") not in ("red", "green"))
    code = 2 if attributes.get("color") else 3
    feeds = COLOR.feeds([Example(attributes)])
    assert (feeds["c"].tolist(), feeds["c"].dtype) == ([code], np.dtype(np.int64))


SIZE = CategoricalEncoder(CategoricalInput("s", "size", ("1", "2.5", "-3"), unknown=3, missing=3, compare="number"))


@pytest.mark.parametrize(
    ("value", "code"),
    [("1", 0), ("1.0", 0), (" 01 ", 0), ("1e0", 0), ("2.50", 1), ("-3.0", 2), ("3", 3), ("one", 3), ("", 3), (None, 3)],
)
def test_numeric_categories_are_compared_as_numbers(value: str | None, code: int) -> None:
    assert SIZE.feeds([Example({"size": value})])["s"].tolist() == [code]


@pytest.mark.parametrize(
    ("value", "code"),
    [("True", 1), ("true", 1), (" TRUE", 1), ("False", 0), ("false", 0), ("1", 2), ("yes", 2), ("", 2)],
)
def test_boolean_categories_are_compared_as_booleans(value: str, code: int) -> None:
    encoder = CategoricalEncoder(CategoricalInput("s", "size", ("False", "True"), 2, 2, compare="boolean"))
    assert encoder.feeds([Example({"size": value})])["s"].tolist() == [code]


def text_encoder(mask: str | None = "mask") -> TextEncoder:
    return TextEncoder(
        TextInput("t", "tokenizer.json", 4, 0, column="name", mask_tensor=mask, fill="blue"), tokenizer()
    )


def test_texts_are_cut_and_padded() -> None:
    texts = ["red", "red green blue square red", None, "", "no such words"]
    feeds = text_encoder().feeds([Example({"name": text}) for text in texts])
    assert feeds["t"].tolist() == [[2, 0, 0, 0], [2, 3, 4, 5], [4, 0, 0, 0], [4, 0, 0, 0], [1, 1, 1, 0]]
    assert feeds["mask"].tolist() == [[1, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]
    assert feeds["t"].dtype == feeds["mask"].dtype == np.int64


def test_a_graph_without_a_mask_input_gets_none() -> None:
    assert text_encoder(mask=None).feeds([Example()]).keys() == text_encoder(mask=None).tensors().keys() == {"t"}


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_texts_are_encoded_at_the_graphs_length(texts: list[str]) -> None:
    assert text_encoder().encode(texts)["t"].shape == (len(texts), 4)


def test_a_batch_is_as_wide_as_its_longest_text() -> None:
    encoder = TextEncoder(TextInput("t", "tokenizer.json", 4, 0, column="name", padding="longest"), tokenizer())
    assert encoder.tensors()["t"].axes == (None,)
    assert encoder.encode(["red", "red green"])["t"].tolist() == [[2, 0], [2, 3]]
    assert encoder.encode(["red red red red red"])["t"].shape == (1, 4)


def sequence_encoder(length: int = 8, padding: Literal["length", "longest"] = "longest") -> SequenceEncoder:
    """`[START]` 90, `[END]` 91, and the tokens of two columns between."""
    sequence = TokenSequence(("name", "story"), end=91, start=90, segments=2, segment_tensor="segment")
    declared = TextInput(
        "t", "tokenizer.json", length, 0, mask_tensor="mask", fill="blue", padding=padding, sequence=sequence
    )
    return SequenceEncoder(declared, sequence, tokenizer())


def test_several_text_columns_are_one_token_sequence() -> None:
    feeds = sequence_encoder().feeds([Example({"name": "red", "story": "green square"}), Example({"story": "red"})])
    assert feeds["t"].tolist() == [[90, 2, 91, 3, 5, 91], [90, 4, 91, 2, 91, 0]]
    assert feeds["mask"].tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]
    assert feeds["segment"].tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0]]
    assert {each.dtype for each in feeds.values()} == {np.dtype(np.int64)}


def test_a_sequence_is_cut_and_padded_to_its_length() -> None:
    feeds = sequence_encoder(padding="length").feeds([Example({"name": "red " * 9, "story": "green"}), Example()])
    assert feeds["t"].tolist() == [[90, 2, 2, 2, 2, 91, 3, 91], [90, 4, 91, 4, 91, 0, 0, 0]]
    assert sequence_encoder(padding="length").tensors()["segment"].axes == (8,)


@given(st.lists(st.dictionaries(st.sampled_from(["name", "story"]), st.one_of(st.none(), st.text())), max_size=3))
def test_any_record_gives_a_sequence_within_its_length(records: list[dict[str, str | None]]) -> None:
    feeds = sequence_encoder(padding="length").feeds([Example(record) for record in records])
    assert {each.shape for each in feeds.values()} == {(len(records), 8)}
    assert ((feeds["t"] != 0) == feeds["mask"]).all()


def test_a_file_that_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(BadBundle, match=r"tokenizer\.json is no tokenizer"):
        TextEncoder(TextInput("t", "tokenizer.json", 4, 0), b'{"version": "1.0"}')


def test_absent_images_are_zero_and_counted() -> None:
    encoder = ImageEncoder(ImageInput("i", spec(), max_images=2, count_tensor="count", missing="zero"))
    one = np.full((3, 8, 8), 5, dtype=np.float32)
    feeds = encoder.feeds([Example(images=[one]), Example(), Example(images=[one, one, one])])
    assert feeds["i"].shape == (3, 2, 3, 8, 8)
    assert feeds["i"].reshape(6, -1).max(axis=1).tolist() == [5, 0, 0, 0, 5, 5]
    assert feeds["count"].tolist() == [1, 0, 2]


def test_a_single_image_input_has_no_axis_for_several() -> None:
    encoder = ImageEncoder(ImageInput("i", spec(), missing="zero"))
    feeds = encoder.feeds([Example(), Example(images=[np.ones((3, 8, 8), dtype=np.float32)])])
    assert feeds.keys() == {"i"}
    assert feeds["i"].mean(axis=(1, 2, 3)).tolist() == [0, 1]
