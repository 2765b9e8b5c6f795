"""The measurements of a bundle, with their bounds: kept in the bundle, and printed as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_DIGITS = 6


@dataclass(frozen=True)
class Figure:
    """One measurement. A bundle is written if it is no less than `least` and no more than `most`, where they are
    given. `group` joins figures that belong together. A figure that differs between runs is shown, not `kept`.
    `spared` is the value without the JPEGs that were decoded smaller, where they count in it; of a figure of them
    alone, its bound.
    """

    name: str
    value: float
    least: float | None = None
    most: float | None = None
    group: str = ""
    kept: bool = True
    spared: float | None = None

    @property
    def holds(self) -> bool:
        """NaN holds no bound."""
        return self._allows(self.value)

    @property
    def holds_spared(self) -> bool:
        """Whether it would hold without the JPEGs that were decoded smaller."""
        return self._allows(self.value if self.spared is None else self.spared)

    def _allows(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @property
    def bound(self) -> str:
        """`>= 0.9999`, or nothing."""
        sides = ((">=", self.least), ("<=", self.most))
        return " and ".join(f"{sign} {limit:g}" for sign, limit in sides if limit is not None)


def record(figures: Iterable[Figure]) -> dict[str, Any]:
    """The figures as a bundle's `metrics`: `{name: value}`, those of a group in an object of its own."""
    metrics: dict[str, Any] = {}
    for each in filter(lambda figure: figure.kept, figures):
        place = metrics.setdefault(each.group, {}) if each.group else metrics
        place[each.name] = round(each.value, _DIGITS)
    return metrics


def format_table(figures: Sequence[Figure]) -> str:
    """A line a figure: name, value, bound."""
    names = [f"{each.group}, {each.name}" if each.group else each.name for each in figures]
    names = [name.replace("_", " ") for name in names]
    width = max(map(len, names), default=0)
    rows = zip(names, figures, strict=True)
    return "\n".join(f"{name:{width}}  {each.value:<12.{_DIGITS}g}{each.bound}".rstrip() for name, each in rows)
