"""What a table's cell means: cells are text, however a number or a truth value was spelled."""

import re
from typing import Literal

# ASCII digits with a point: what `float` takes beyond it (1_000, nan, infinity) is text in a table of values.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "false": False}

Comparison = Literal["text", "number", "boolean"]


def read_number(text: str) -> float | None:
    """A plain number; None for anything else."""
    return float(text) if _NUMBER.fullmatch(text := text.strip()) else None


def read_value(text: str, comparison: Comparison) -> str | float | bool | None:
    """What two cells have in common if they say the same; None for what is no number, or neither true nor false."""
    match comparison:
        case "text":
            return text
        case "number":
            return read_number(text)
        case "boolean":
            return _TRUTH.get(text.strip().lower())
