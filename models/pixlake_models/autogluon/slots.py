"""Runs an image network only on the slots of a batch that hold an image; each record has the same number of slots.
AutoGluon runs it on every slot, and multiplies the output for an absent image by zero.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import torch
from autogluon.multimodal.models.clip import CLIPForImageText
from autogluon.multimodal.models.timm_image import TimmAutoModelForImagePrediction
from torch import Tensor

ImageNetwork: TypeAlias = TimmAutoModelForImagePrediction | CLIPForImageText
"""AutoGluon's networks that take images."""


@contextmanager
def absent_left_out(network: Any) -> Iterator[None]:
    """Run the visual part of an ImageNetwork on present images alone, with zeros for absent ones. Networks for which an
    absent image counts stay unchanged.
    """
    if not _zeroes_absent(network):
        yield
        return
    slots, (first, last) = _Slots(), _visual_parts(network)
    with ExitStack() as stack:
        stack.enter_context(network.register_forward_pre_hook(slots.find))
        stack.enter_context(first.register_forward_pre_hook(slots.gather, with_kwargs=True))
        stack.enter_context(last.register_forward_hook(slots.scatter))
        yield


class _Slots:
    """Hooks of one network, called in this order: on its inputs, then where pictures enter, then where features leave.

    `[rows, slots, ...]` is flat in there: `[rows * slots, ...]`.
    """

    _count: Tensor
    _filled: Tensor

    def find(self, network: Any, inputs: tuple[Any, ...]) -> None:
        """Positions of the slots that hold an image. Where no slot of the batch does, the first is kept, since ONNX
        Runtime cannot run most networks on an empty batch: it infers no size of a tensor without elements."""
        images, counts = _images(network, inputs)
        rows, slots = images.shape[:2]
        present = (torch.arange(slots) < counts[:, None]).flatten()
        self._count = rows * slots
        first = torch.arange(self._count) == 0
        self._filled = torch.nonzero(present | (first & ~present.any())).squeeze(1)

    def gather(self, _: torch.nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(map(self._gather, inputs)), {name: self._gather(each) for name, each in named.items()}

    def scatter(self, _: torch.nn.Module, __: tuple[Any, ...], features: Tensor) -> Tensor:
        return features.new_zeros(self._count, *features.shape[1:]).index_put((self._filled,), features)

    def _gather(self, value: Any) -> Any:
        return value.index_select(0, self._filled) if isinstance(value, Tensor) else value


def _zeroes_absent(network: ImageNetwork) -> bool:
    if isinstance(network, CLIPForImageText):
        return bool(network.has_image and not network.use_learnable_image)
    return bool(network.mix_choice == "all_logits" and not network.use_learnable_image)


def _visual_parts(network: ImageNetwork) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The module that takes pictures, and the one that gives their features."""
    if isinstance(network, CLIPForImageText):
        return network.model.vision_model, network.model.visual_projection
    return network.model, network.model


def _images(network: ImageNetwork, inputs: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
    """The images and each row's number of them, from the network's inputs."""
    if isinstance(network, CLIPForImageText):
        (batch,) = inputs
        return batch[network.image_key], batch[network.image_valid_num_key]
    images, counts, *_ = inputs
    return images, counts
