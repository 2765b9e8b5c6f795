"""The network of an AutoGluon model as one module that takes plain tensors.

AutoGluon's own `export_onnx` fails on categorical columns, which its models take as a tuple; here each is a tensor.
"""

from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any

import torch
from autogluon.multimodal.constants import LOGITS
from autogluon.multimodal.models import custom_transformer
from autogluon.multimodal.models.utils import run_model
from torch import Tensor

from pixlake.inference.manifest import CategoricalInput, ImageInput, Input

OUTPUT = "output"


class Network(torch.nn.Module):
    """Called with the tensors of `example_tensors` in their order; answers the logits, or the scaled value."""

    def __init__(self, model: Any, inputs: Sequence[Input]) -> None:
        super().__init__()
        self.model = model
        self.names = list(example_tensors(inputs))
        # AutoGluon divides by a count clamped to 1e-6, which the exporter would clamp as an integer, to 0
        self.counts = {each.count_tensor for each in inputs if isinstance(each, ImageInput)}

    def forward(self, *tensors: Tensor) -> Tensor:
        logits: Tensor = run_model(self.model, self._batch(tensors))[self.model.prefix][LOGITS]
        return logits

    def _batch(self, tensors: Sequence[Tensor]) -> dict[str, Any]:
        """The tensors under the network's keys, a key's categorical columns gathered into a tuple."""
        named = dict(zip(self.names, tensors, strict=True))
        batch: dict[str, Any] = {}
        for key in self.model.input_keys:
            parts = tuple(tensor for name, tensor in named.items() if name.startswith(f"{key}."))
            batch[key] = named.get(key, parts)
            if key in self.counts:
                batch[key] = batch[key].float()
        return batch


@contextmanager
def traceable_lengths() -> Iterator[None]:
    """Let AutoGluon's transformer for tables be traced for any number of rows: it counts them with `len`, which a trace
    takes for a constant, where `shape` stays a part of the graph."""

    def length(value: Sized) -> Any:
        return value.shape[0] if isinstance(value, Tensor) else len(value)

    vars(custom_transformer)["len"] = length
    try:
        yield
    finally:
        del vars(custom_transformer)["len"]


def example_tensors(inputs: Sequence[Input], rows: int = 2) -> dict[str, Tensor]:
    """Tensors of the right names, types and shapes."""
    tensors: dict[str, Tensor] = {}
    for each in inputs:
        if isinstance(each, ImageInput):
            side = each.preprocessing
            tensors[each.tensor] = torch.zeros(rows, each.max_images, 3, side.height, side.width)
            assert each.count_tensor
            tensors[each.count_tensor] = torch.ones(rows, dtype=torch.int64)
        elif isinstance(each, CategoricalInput):
            tensors[each.tensor] = torch.zeros(rows, dtype=torch.int64)
        else:
            tensors[each.tensor] = torch.zeros(rows, len(each.columns))  # type: ignore[union-attr]
    return tensors
