"""Runs a model once on blank pictures, before the work of exporting it."""

from typing import Any

import torch

from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import NotServable


def blanks(preprocessing: Preprocessing) -> torch.Tensor:
    """Two pictures, for tracing may make a constant of one."""
    return torch.zeros(2, 3, preprocessing.height, preprocessing.width)


def try_out(module: torch.nn.Module, preprocessing: Preprocessing) -> Any:
    """The module's answer to two blank pictures; NotServable where it takes none of their size, which its settings
    give."""
    try:
        with torch.no_grad():
            return module(blanks(preprocessing))
    except (AssertionError, RuntimeError) as error:
        size = f"{preprocessing.width} x {preprocessing.height}"
        reason = str(error).strip().partition("\n")[0]
        raise NotServable(
            f"the model takes no pictures of {size} pixels, the size that its settings give: {reason}; "
            "correct the size in its config.json"
        ) from error
