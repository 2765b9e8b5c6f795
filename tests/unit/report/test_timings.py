from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pixlake.report.gather import Listing, spread
from pixlake.report.timings import time_steps
from pixlake.storage import ObjectInfo

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


def listing(**seconds: float) -> Listing:
    infos = [
        ObjectInfo(f"file:///w/{path}", 10, START + timedelta(seconds=after), None) for path, after in seconds.items()
    ]
    return Listing("file:///w", tuple(infos))


def test_a_step_begins_when_the_one_before_ended() -> None:
    found = listing(
        **{
            "shards.json": 1,
            "members.jsonl": 2,
            "extracted/000000.jsonl": 4,
            "extracted/000001.jsonl": 5,
            "parts/records/0.parquet": 6,
            "batches.json": 7,
            "parts/embeddings/a.parquet": 20,
            "parts/rejects/embed-a.jsonl": 30,
        }
    )
    steps = time_steps(found, START, START + timedelta(seconds=22))
    assert [(step.name, step.start, step.took, step.objects) for step in steps] == [
        ("Plan", 0, 2, 2),
        ("Extract", 2, 3, 2),
        ("Split", 5, 2, 2),
        ("Infer", 7, 13, 1),
        ("Compact", 20, 2, 0),
    ]


def test_records_that_compact_has_written_again_do_not_prolong_split() -> None:
    written = {"batches.json": 1, "parts/embeddings/a.parquet": 3, "parts/records/0.parquet": 4}
    steps = time_steps(listing(**written), START, START + timedelta(seconds=5))
    assert [(step.name, step.took) for step in steps] == [("Split", 1), ("Infer", 2), ("Compact", 2)]


def test_a_step_without_output_has_no_time_and_no_time_is_negative() -> None:
    steps = time_steps(listing(**{"shards.json": 5, "batches.json": 3}), START, START)
    assert [(step.name, step.start, step.took) for step in steps] == [
        ("Plan", 0, 5),
        ("Split", 5, 0),
        ("Compact", 5, 0),
    ]


def test_many_parts_are_thinned_evenly() -> None:
    parts = [ObjectInfo(f"{place}", place, START, "") for place in range(1_000)]
    assert spread(parts, 1_000) == parts
    thinned = [part.size for part in spread(parts, 7)]
    assert len(thinned) == 7
    assert {later - earlier for earlier, later in pairwise(thinned)} <= {142, 143}
