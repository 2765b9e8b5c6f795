"""From one record's values and images to the tensors that a graph takes; one encoder for each type of input.

What is missing, unknown or no number becomes what the bundle says, so serving can't drift from training.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pixlake.errors import BadBundle
from pixlake.inference.folders import BundleFolder
from pixlake.inference.graphs import Feeds, Tensor
from pixlake.inference.manifest import CategoricalInput, ImageInput, Input, NumericalColumn, NumericalInput, TextInput

# ASCII digits with a point: what `float` takes beyond it (1_000, nan, infinity) is text in a table of values.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


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
        self._index = {category: index for index, category in enumerate(declared.categories)}

    def tensors(self) -> dict[str, Tensor]:
        return {self._declared.tensor: Tensor(np.int64)}

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        values = [self._code(each.attributes.get(self._declared.column)) for each in examples]
        return {self._declared.tensor: np.array(values, dtype=np.int64)}

    def _code(self, value: str | None) -> int:
        return self._index.get(value, self._declared.unknown) if value else self._declared.missing


class TextEncoder:
    """Token ids, cut and padded to one length."""

    def __init__(self, declared: TextInput, tokenizer: bytes) -> None:
        self._declared = declared
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer.decode())
        except Exception as error:  # the library raises bare Exceptions
            raise BadBundle(f"{declared.tokenizer} is no tokenizer of the `tokenizers` library: {error}") from error
        self._tokenizer.enable_truncation(declared.length)
        self._tokenizer.enable_padding(length=declared.length, pad_id=declared.pad)

    def tensors(self) -> dict[str, Tensor]:
        names = [self._declared.tensor, self._declared.mask_tensor]
        return {name: Tensor(np.int64, (self._declared.length,)) for name in names if name}

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        column = self._declared.column or ""
        return self.encode([each.attributes.get(column) or self._declared.fill for each in examples])

    def encode(self, texts: Sequence[str]) -> Feeds:
        """The tensors of texts that come from no column."""
        encodings = self._tokenizer.encode_batch(list(texts))
        feeds: Feeds = {self._declared.tensor: np.array([each.ids for each in encodings], dtype=np.int64)}
        if self._declared.mask_tensor:
            masks = [each.attention_mask for each in encodings]
            feeds[self._declared.mask_tensor] = np.array(masks, dtype=np.int64)
        return feeds


def standardize(text: str | None, column: NumericalColumn) -> float:
    """`(x - mean) / scale` of a plain number; of `fill` for anything else, also for what float32 cannot hold."""
    value = float(text) if text is not None and _NUMBER.fullmatch(text := text.strip()) else column.fill
    standard = (value - column.mean) / column.scale
    if math.isfinite(standard) and abs(standard) <= _GREATEST:
        return standard
    return (column.fill - column.mean) / column.scale
