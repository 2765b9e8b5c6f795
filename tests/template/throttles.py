"""An account's concurrency, simulated: executions whose Maps ask for more than it has, and are refused the rest.

A slot that a child leaves is free to whoever asks first. Its Map starts the next child at once, so that the ones that
wait get nothing as long as there are others to start: the worst that can happen to them.
"""

import heapq
from dataclasses import dataclass
from random import Random
from typing import Any

BATCH_SECONDS = 81.0
"""benchmarks/limits.py: a batch of 1,024 images of ViT-B/32 on `InferenceMemory` of 3,008 MB."""


@dataclass(frozen=True)
class Outcome:
    """Batches that were refused to the end, by upload, when the last one ended, and the most attempts of one."""

    lost: tuple[int, ...]
    seconds: float
    attempts: int


def simulate(uploads: int, concurrency: int, slots: int, batches: int, retry: dict[str, Any], seed: int = 0) -> Outcome:
    """`uploads` at once of `batches` each, `concurrency` of them at work at once, where there are `slots`."""
    random = Random(seed)
    waiting = [batches] * uploads
    lost = [0] * uploads
    free, now, most = slots, 0.0, 0
    # (when, tie, upload, refusals so far; -1 for a batch that ends)
    events: list[tuple[float, float, int, int]] = []
    for upload in range(uploads):
        for _ in range(min(concurrency, batches)):
            waiting[upload] -= 1
            heapq.heappush(events, (random.random(), random.random(), upload, 0))
    while events:
        now, _, upload, refusals = heapq.heappop(events)
        if refusals >= 0 and free:
            free -= 1
            heapq.heappush(events, (now + BATCH_SECONDS * random.uniform(0.9, 1.1), random.random(), upload, -1))
            continue
        if 0 <= refusals < retry["MaxAttempts"]:
            heapq.heappush(events, (now + wait(retry, refusals, random), random.random(), upload, refusals + 1))
            most = max(most, refusals + 1)
            continue
        if refusals < 0:
            free += 1
        else:
            lost[upload] += 1
        if waiting[upload]:
            waiting[upload] -= 1
            heapq.heappush(events, (now, -1.0, upload, 0))
    return Outcome(tuple(lost), now, most)


def wait(retry: dict[str, Any], refusals: int, random: Random) -> float:
    """Seconds before the next attempt, with full jitter."""
    return random.uniform(0, longest_wait(retry, refusals))


def longest_wait(retry: dict[str, Any], refusals: int) -> float:
    # the power is bounded for it would not fit into a float
    return float(min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** min(refusals, 60)))
