"""The progress of an execution, from the answers that pass through the engine."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pixlake_cli.engine.sandbox import Answer

ONE = {
    "batches": "batch",
    "images": "image",
    "orphans": "orphan",
    "records": "record",
    "rows": "row",
    "shards": "shard",
    "tables": "table",
}
# the step that gives a Map's number of invocations, and the list that holds it
MAPS = {"Extract": ("Plan", "shards"), "Infer": ("Split", "batches")}


@dataclass
class Step:
    """One state: its number of invocations (1 except for a Map), how many are done, and the sum of their results."""

    name: str
    total: int = 1
    done: int = 0
    started: float = 0.0
    ended: float = 0.0
    detail: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Progress:
    """An `engine.Observer`. It calls `show(step)` whenever a step advances, one call at a time."""

    def __init__(self, state_of: Mapping[str, str], show: Callable[[Step], None]) -> None:
        self._state_of = state_of
        self._show = show
        self._lock = threading.Lock()
        self._sums: dict[str, dict[str, int]] = {}
        self.steps = {state: Step(state) for state in dict.fromkeys(state_of.values())}
        self.failures: dict[str, dict[str, Any]] = {}
        self.report_uri = ""

    def invoked(self, function: str) -> None:
        """An invocation begins."""
        with self._lock:
            step = self.steps[self._state_of[function]]
            if not step.started:
                step.started = time.monotonic()
                self._show(step)

    def answered(self, function: str, answer: Answer) -> None:
        """An invocation ends; a failed one may be retried, and its error is kept in case it is not."""
        content = _content(answer)
        with self._lock:
            step = self.steps[self._state_of[function]]
            if answer.failed:
                self.failures[step.name] = content
                return
            step.done += not content.get("rest")  # of a batch whose worker ran out of time
            step.ended = time.monotonic()
            self._take_totals(step.name, content)
            sums = self._sums.setdefault(step.name, {})
            for key, value in content.items():
                if type(value) is int:
                    sums[key] = sums.get(key, 0) + value
            step.detail = _describe(function, sums, content)
            self.report_uri = content.get("report_uri", self.report_uri)
            self._show(step)

    def _take_totals(self, state: str, content: Mapping[str, Any]) -> None:
        for name, (source, key) in MAPS.items():
            if state == source and name in self.steps:
                self.steps[name].total = _length(content, key)


def _content(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object; empty for anything else."""
    try:
        content = json.loads(answer.payload)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _length(content: Mapping[str, Any], key: str) -> int:
    """The count of a `messages.ItemList` in an answer."""
    items = content.get(key)
    return int(items.get("count", 0)) if isinstance(items, dict) else 0


def _describe(function: str, sums: Mapping[str, int], content: Mapping[str, Any]) -> str:
    """A step's result in words."""
    match function.removesuffix("Function"):
        case "Plan":
            shards = {"shards": _length(content, "shards")}
            return _count({**sums, **shards}, "images", "tables", "shards")
        case "Extract":
            return _count({"images": sums.get("extracted", 0)}, "images")
        case "Split":
            batches = {"batches": _length(content, "batches")}
            return _count({**sums, **batches}, "records", "orphans", "batches")
        case "Embed" | "Classify":
            return _count(sums, "rows")
        case "Compact":
            return ", ".join(f"{sums.get(key, 0):,} {key}" for key in ("embedded", "predicted", "rejected"))
    return ""


def _count(values: Mapping[str, int], *nouns: str) -> str:
    """`1 image, 2 tables`."""
    pairs = [(values.get(noun, 0), noun) for noun in nouns]
    return ", ".join(f"{number:,} {ONE[noun] if number == 1 else noun}" for number, noun in pairs)
