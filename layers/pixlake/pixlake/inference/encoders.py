"""From one record's values and images to the tensors that a graph takes; one encoder for each type of input.

What is missing, unknown or no number becomes what the bundle says, so serving can't drift from training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import (
    CategoricalInput,
    ImageInput,
    Input,
    NumericalColumn,
    NumericalInput,
    TextInput,
    TokenSequence,
)
from pixlake.bundles.values import read_number, read_value
from pixlake.errors import BadBundle
from pixlake.inference.cleaning import clean_text
from pixlake.inference.graphs import Feeds, Tensor
from pixlake.inference.sequences import join_tokens

_GREATEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Example:
    """What one prediction is made from: the record's values by column, and its images as float32 `[3, h, w]`."""

    attributes: Mapping[str, str | None] = field(default_factory=dict)
    images: Sequence[NDArray[np.float32]] = ()


class Encoder(Protocol):
    """Fills some of a graph's inputs."""

    def tensors(self) -> dict[str, Tensor]:
        """The inputs that it fills."""

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        """Their values for a batch."""


def make_encoder(declared: Input, folder: BundleFolder) -> Encoder:
    """The encoder of one declared input."""
    match declared:
        case ImageInput():
            return ImageEncoder(declared)
        case NumericalInput():
            return NumericalEncoder(declared)
        case CategoricalInput():
            return CategoricalEncoder(declared)
        case TextInput(sequence=TokenSequence() as sequence):
            return SequenceEncoder(declared, sequence, folder.read(declared.tokenizer))
        case TextInput():
            return TextEncoder(declared, folder.read(declared.tokenizer))


class ImageEncoder:
    """Images of one size; absent ones are zero."""

    def __init__(self, declared: ImageInput) -> None:
        self._declared = declared
        preprocessing = declared.preprocessing
        self._axes: tuple[int, ...] = (3, preprocessing.height, preprocessing.width)
        if declared.stacked:
            self._axes = (declared.max_images, *self._axes)

    def tensors(self) -> dict[str, Tensor]:
        tensors = {self._declared.tensor: Tensor(np.float32, self._axes)}
        if self._declared.count_tensor:
            tensors[self._declared.count_tensor] = Tensor(np.int64)
        return tensors

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        limit = self._declared.max_images
        values = np.zeros((len(examples), *self._axes), dtype=np.float32)
        slots = values.reshape(len(examples), limit, *self._axes[-3:])
        for row, example in enumerate(examples):
            for slot, image in enumerate(example.images[:limit]):
                slots[row, slot] = image
        feeds: Feeds = {self._declared.tensor: values}
        if self._declared.count_tensor:
            counts = [min(len(example.images), limit) for example in examples]
            feeds[self._declared.count_tensor] = np.array(counts, dtype=np.int64)
        return feeds


class NumericalEncoder:
    """Standardized numbers."""

    def __init__(self, declared: NumericalInput) -> None:
        self._declared = declared

    def tensors(self) -> dict[str, Tensor]:
        return {self._declared.tensor: Tensor(np.float32, (len(self._declared.columns),))}

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        columns = self._declared.columns
        rows = [[standardize(each.attributes.get(column.name), column) for column in columns] for each in examples]
        return {self._declared.tensor: np.array(rows, dtype=np.float32).reshape(len(examples), len(columns))}


class CategoricalEncoder:
    """The index of a category."""

    def __init__(self, declared: CategoricalInput) -> None:
        self._declared = declared
        values = (read_value(category, declared.compare) for category in declared.categories)
        self._index = {value: index for index, value in enumerate(values)}

    def tensors(self) -> dict[str, Tensor]:
        return {self._declared.tensor: Tensor(np.int64)}

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        values = [self._code(each.attributes.get(self._declared.column)) for each in examples]
        return {self._declared.tensor: np.array(values, dtype=np.int64)}

    def _code(self, text: str | None) -> int:
        if not text:
            return self._declared.missing
        return self._index.get(read_value(text, self._declared.compare), self._declared.unknown)


class TextEncoder:
    """Token ids, cut to one length, and padded to it or to the longest text of the batch."""

    def __init__(self, declared: TextInput, tokenizer: bytes) -> None:
        self._declared = declared
        self._tokenizer = _load_tokenizer(declared, tokenizer)
        self._tokenizer.enable_truncation(declared.length)
        width = declared.length if declared.padding == "length" else None
        self._tokenizer.enable_padding(length=width, pad_id=declared.pad)

    def tensors(self) -> dict[str, Tensor]:
        return _text_tensors(self._declared, self._declared.mask_tensor)

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        column = self._declared.column or ""
        return self.encode([each.attributes.get(column) or self._declared.fill for each in examples])

    def encode(self, texts: Sequence[str]) -> Feeds:
        """The tensors of texts that come from no column."""
        cleaned = [clean_text(text, self._declared.cleaning) for text in texts]
        encodings = self._tokenizer.encode_batch(cleaned)
        feeds: Feeds = {self._declared.tensor: np.array([each.ids for each in encodings], dtype=np.int64)}
        if self._declared.mask_tensor:
            masks = [each.attention_mask for each in encodings]
            feeds[self._declared.mask_tensor] = np.array(masks, dtype=np.int64)
        return feeds


class SequenceEncoder:
    """The token ids of several columns in one sequence, padded as those of one text."""

    def __init__(self, declared: TextInput, sequence: TokenSequence, tokenizer: bytes) -> None:
        self._declared, self._sequence = declared, sequence
        self._tokenizer = _load_tokenizer(declared, tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def tensors(self) -> dict[str, Tensor]:
        return _text_tensors(self._declared, self._declared.mask_tensor, self._sequence.segment_tensor)

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        columns, declared = self._sequence.columns, self._declared
        texts = [each.attributes.get(column) or declared.fill for each in examples for column in columns]
        cleaned = [clean_text(text, declared.cleaning) for text in texts]
        parts = [each.ids for each in self._tokenizer.encode_batch(cleaned, add_special_tokens=False)]
        rows = [parts[first : first + len(columns)] for first in range(0, len(parts), len(columns))]
        joined = [join_tokens(row, self._sequence, declared.length) for row in rows]
        longest = max((len(tokens) for tokens, _ in joined), default=0)
        width = declared.length if declared.padding == "length" else longest
        feeds: Feeds = {declared.tensor: _padded([tokens for tokens, _ in joined], width, declared.pad)}
        if declared.mask_tensor:
            feeds[declared.mask_tensor] = _padded([[1] * len(tokens) for tokens, _ in joined], width, 0)
        if self._sequence.segment_tensor:
            feeds[self._sequence.segment_tensor] = _padded([segments for _, segments in joined], width, 0)
        return feeds


def _load_tokenizer(declared: TextInput, tokenizer: bytes) -> Tokenizer:
    try:
        return Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # the library raises bare Exceptions
        raise BadBundle(f"{declared.tokenizer} is no tokenizer of the `tokenizers` library: {error}") from error


def _text_tensors(declared: TextInput, *others: str | None) -> dict[str, Tensor]:
    width = declared.length if declared.padding == "length" else None
    return {name: Tensor(np.int64, (width,)) for name in (declared.tensor, *others) if name}


def _padded(rows: Sequence[Sequence[int]], width: int, pad: int) -> NDArray[np.int64]:
    padded = np.full((len(rows), width), pad, dtype=np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def standardize(text: str | None, column: NumericalColumn) -> float:
    """`(x - mean) / scale` of a plain number; of `fill` for anything else, also for what float32 cannot hold."""
    number = None if text is None else read_number(text)
    value = column.fill if number is None else number
    standard = (value - column.mean) / column.scale
    if math.isfinite(standard) and abs(standard) <= _GREATEST:
        return standard
    return (column.fill - column.mean) / column.scale
