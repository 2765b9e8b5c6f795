"""Rows of the table `records`, as several sources of one merge."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from pixlake.schemas import RECORDS

START = datetime(2026, 1, 1, tzinfo=UTC)


def records(some: Sequence[tuple[str, int]], who: str) -> pa.Table:
    """Rows of these ids, each uploaded on its day; an attribute says who put it, at which place."""
    return pa.Table.from_pylist(
        [
            {
                "experiment_id": "e",
                "record_id": record_id,
                "has_image": False,
                "image_paths": [],
                "attributes": {"who": f"{who} {place}"},
                "uploaded_at": START + timedelta(days=day),
                "processed_at": START,
            }
            for place, (record_id, day) in enumerate(some)
        ],
        schema=RECORDS.columns,
    )
