"""The value of a table's cell: cells are text, in any spelling of numbers and booleans."""

import re
from typing import Literal

# ASCII digits with a point: other forms that `float` takes (1_000, nan, infinity) are text in a table of values.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}

Comparison = Literal["text", "number", "boolean"]


def read_number(text: str) -> float | None:
    """A plain number; None for anything else."""
    return float(text) if _NUMBER.fullmatch(text := text.strip()) else None


def read_value(text: str, comparison: Comparison) -> str | float | bool | None:
    """A cell's value to compare it by; None if it is not a number, or neither true nor false."""
    match comparison:
        case "text":
            return text
        case "number":
            return read_number(text)
        case "boolean":
            return _BOOLEANS.get(text.strip().lower())
