"""The network of an AutoGluon model as one module that takes plain tensors.

AutoGluon's own `export_onnx` fails on categorical columns, which its models take as a tuple; here each is a tensor.
"""

from collections.abc import Iterator, Sequence, Sized
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from autogluon.multimodal.constants import LOGITS, TEXT_SEGMENT_IDS, TEXT_TOKEN_IDS, TEXT_VALID_LENGTH
from autogluon.multimodal.models import custom_transformer
from autogluon.multimodal.models.ft_transformer import FT_Transformer
from autogluon.multimodal.models.hf_text import HFAutoModelForTextPrediction
from autogluon.multimodal.models.numerical_mlp import NumericalMLP
from autogluon.multimodal.models.utils import run_model
from torch import Tensor

from pixlake.bundles.manifest import CategoricalInput, ImageInput, Input, NumericalInput, TextInput
from pixlake_models.autogluon.slots import ImageNetwork, absent_left_out

OUTPUT = "output"
_TOKENS = 7


class Network(torch.nn.Module):
    """Called with the tensors of `example_tensors` in their order; returns the logits, or the scaled value."""

    def __init__(self, model: Any, inputs: Sequence[Input]) -> None:
        super().__init__()
        self.model = model
        self.names = list(example_tensors(inputs))
        # AutoGluon divides by a count clamped to 1e-6, which the exporter would clamp as an integer, to 0
        self.counts = {each.count_tensor for each in inputs if isinstance(each, ImageInput)}
        self.texts = [each for each in inputs if isinstance(each, TextInput)]

    def forward(self, *tensors: Tensor) -> Tensor:
        logits: Tensor = run_model(self.model, self._batch(tensors))[self.model.prefix][LOGITS]
        return logits

    def _batch(self, tensors: Sequence[Tensor]) -> dict[str, Any]:
        """The tensors under the network's keys, a key's categorical columns gathered into a tuple."""
        named = dict(zip(self.names, tensors, strict=True))
        for each in self.texts:
            named |= _text_tensors(each, named)
        batch: dict[str, Any] = {}
        for key in self.model.input_keys:
            parts = tuple(tensor for name, tensor in named.items() if name.startswith(f"{key}."))
            batch[key] = named.get(key, parts)
            if key in self.counts:
                batch[key] = batch[key].float()
        return batch


def _text_tensors(declared: TextInput, named: dict[str, Tensor]) -> dict[str, Tensor]:
    """AutoGluon's other inputs of a text network: the number of tokens, and their segments."""
    assert declared.mask_tensor
    assert declared.sequence
    prefix = declared.tensor.removesuffix(TEXT_TOKEN_IDS)
    lengths = named[declared.mask_tensor].sum(dim=1)
    segments = named.get(declared.sequence.segment_tensor or "", torch.zeros_like(named[declared.tensor]))
    return {f"{prefix}{TEXT_VALID_LENGTH}": lengths, f"{prefix}{TEXT_SEGMENT_IDS}": segments}


@contextmanager
def traceable(model: torch.nn.Module) -> Iterator[None]:
    """Let AutoGluon's networks be traced for any number of rows and tokens, overflow as in torch, and skip absent
    images."""
    with ExitStack() as stack:
        stack.enter_context(_counted_by_shape())
        for network in model.modules():
            if isinstance(network, HFAutoModelForTextPrediction):
                stack.enter_context(_plain_attention(network.model))
            elif isinstance(network, NumericalMLP | FT_Transformer):
                stack.enter_context(_overflowing(network))
            elif isinstance(network, ImageNetwork):
                stack.enter_context(absent_left_out(network))
        yield


@contextmanager
def _counted_by_shape() -> Iterator[None]:
    """AutoGluon's transformer for tables counts rows with `len`, which a trace makes a constant; `shape` stays a part
    of the graph."""

    def length(value: Sized) -> Any:
        return value.shape[0] if isinstance(value, Tensor) else len(value)

    vars(custom_transformer)["len"] = length
    try:
        yield
    finally:
        del vars(custom_transformer)["len"]


@contextmanager
def _plain_attention(transformer: Any) -> Iterator[None]:
    """A transformer for text chooses its fused attention by the values of the mask, which a trace cannot hold."""
    attention = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")
    try:
        yield
    finally:
        transformer.set_attn_implementation(attention)


@contextmanager
def _overflowing(network: torch.nn.Module) -> Iterator[None]:
    """For numbers too large to normalize in float32 torch returns NaN, but ONNX Runtime 0, which would pass for a
    prediction."""

    def spoil(_: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + inputs[0].square().sum(dim=-1, keepdim=True) * 0

    hooks = [each.register_forward_hook(spoil) for each in network.modules() if isinstance(each, torch.nn.LayerNorm)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def example_tensors(inputs: Sequence[Input], rows: int = 2) -> dict[str, Tensor]:
    """Tensors of the right names, types and shapes."""
    tensors: dict[str, Tensor] = {}
    for each in inputs:
        match each:
            case ImageInput():
                side = each.preprocessing
                tensors[each.tensor] = torch.zeros(rows, each.max_images, 3, side.height, side.width)
                assert each.count_tensor
                tensors[each.count_tensor] = torch.ones(rows, dtype=torch.int64)
            case CategoricalInput():
                tensors[each.tensor] = torch.zeros(rows, dtype=torch.int64)
            case NumericalInput():
                tensors[each.tensor] = torch.zeros(rows, len(each.columns))
            case TextInput():
                tensors |= _example_tokens(each, rows)
    return tensors


def _example_tokens(declared: TextInput, rows: int) -> dict[str, Tensor]:
    """Some tokens a row, the last one padding, so that the trace is not of full masks alone."""
    tokens = torch.ones(rows, min(_TOKENS, declared.length), dtype=torch.int64)
    mask = tokens.clone()
    mask[:, -1] = 0
    assert declared.mask_tensor
    tensors = {declared.tensor: tokens, declared.mask_tensor: mask}
    if declared.sequence and declared.sequence.segment_tensor:
        tensors[declared.sequence.segment_tensor] = torch.zeros_like(tokens)
    return tensors


def token_tensors(inputs: Sequence[Input]) -> set[str]:
    """The tensors with an axis of tokens, which is as long as the longest text."""
    texts = [each for each in inputs if isinstance(each, TextInput)]
    return {name for each in texts for name in _example_tokens(each, 1)}
