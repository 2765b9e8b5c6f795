"""Values of two engines in one notation."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def canonical(value: Any) -> Any:
    """The value: maps, which Arrow has as pairs, as dictionaries; moments in UTC; numbers to nine digits."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], tuple):
        value = dict(value)
    if isinstance(value, dict):
        return sorted((key, canonical(each)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float | Decimal):
        return f"{value:.9g}"
    return value
