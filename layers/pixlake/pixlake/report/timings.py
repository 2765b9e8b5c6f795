"""The duration of each step, estimated from the write times of the objects under `work/`.

A step ends when its last object appears and begins when the step before it ended. Compact writes to the tables, not
to `work/`, so it ends when the report begins. A step's time includes its retries. On S3 these times are
whole seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pixlake.report.gather import Listing

# The objects that each step writes, in the order of the state machine.
_TRACES = {
    "Plan": ("members.jsonl", "shards.json", "tables/"),
    "Extract": ("extracted/",),
    "Split": ("batches.json", "batches/", "parts/records/"),
    "Infer": ("parts/embeddings/", "parts/predictions/"),
}
_REWRITTEN = "parts/records/"  # by Compact, without the images that turned out to be broken


@dataclass(frozen=True)
class Step:
    """One step: `start` and `took` in seconds, `objects` and `bytes` those that it wrote under `work/`."""

    name: str
    start: float
    took: float
    objects: int
    bytes: int


def time_steps(listing: Listing, started_at: datetime, compacted_at: datetime) -> list[Step]:
    """The steps that wrote objects, and Compact, which ended at `compacted_at`."""
    steps: list[Step] = []
    end = started_at
    for name, prefixes in _TRACES.items():
        objects = [info for prefix in prefixes for info in listing.under(prefix)]
        if not objects:
            continue
        lasting = [info for prefix in prefixes if prefix != _REWRITTEN for info in listing.under(prefix)] or objects
        last = max(end, max(info.last_modified for info in lasting))
        steps.append(_step(name, started_at, end, last, [info.size for info in objects]))
        end = last
    steps.append(_step("Compact", started_at, end, max(end, compacted_at), []))
    return steps


def _step(name: str, origin: datetime, start: datetime, end: datetime, sizes: Sequence[int]) -> Step:
    return Step(name, (start - origin).total_seconds(), (end - start).total_seconds(), len(sizes), sum(sizes))
