"""Answers of two engines, compared."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def canonical(value: Any) -> Any:
    """The value in one notation: maps, which Arrow has as pairs, as sorted pairs; moments in UTC."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], tuple):
        value = dict(value)
    if isinstance(value, dict):
        return sorted([key, canonical(each)] for key, each in value.items())
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return float(value) if isinstance(value, Decimal) else value


def order(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The rows in one notation, sorted by all that is no fraction, then by the rest."""
    return sorted(map(canonical, rows), key=lambda row: (str(_exact(row)), str(row)))


def _exact(value: Any) -> Any:
    if isinstance(value, list):
        return [_exact(each) for each in value]
    return None if isinstance(value, float) else value


def agree(one: Any, other: Any) -> bool:
    """Whether two values are the same, sums of fractions in any order."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
