"""Events of loose images, as EventBridge delivers S3's, and what SQS and Lambda make of them."""

import json
from collections.abc import Iterable
from typing import Any

from pixlake.messages import CollectRequest, parse

Event = dict[str, Any]
BUCKET = "uploads"


def changed(
    key: str,
    sequencer: str = "617f08299329d189",
    *,
    deleted: bool = False,
    time: str = "2026-01-01T00:00:00Z",
    version: str | None = "v1",
    deletion: str = "Delete Marker Created",
) -> Event:
    """An event of AWS's documentation, of this key."""
    versioned = {"version-id": version} if version is not None else {}
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Deleted" if deleted else "Object Created",
        "source": "aws.s3",
        "time": time,
        "region": "us-east-1",
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {"key": key, "sequencer": sequencer, **versioned},
            **({"deletion-type": deletion} if deleted else {}),
        },
    }


def queued(events: Iterable[Event]) -> CollectRequest:
    """One batch of messages, whose ids are the numbers of their events."""
    records = [{"messageId": str(number), "body": json.dumps(event)} for number, event in enumerate(events)]
    return parse({"Records": records}, CollectRequest)
