"""Running again what an execution lost, or rejected for a reason that may not come back, and only that.

A retry is an execution of its own, with the same upload time as the first: whatever was uploaded since stays. It works
on the first one's batches and images, so it is possible for as long as the files under `work/` are kept.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pixlake import storage
from pixlake.errors import AccessDenied, BadRequest, MissingObject
from pixlake.lake import Work, check_identifier
from pixlake.messages import Finished

PASSING = frozenset({"too_slow", "decoder_killed"})
"""Reasons of rejects that another attempt may not give."""


def write_finished(work: Work, finished: Finished) -> None:
    """Keep what a retry needs."""
    storage.write(work.finished, msgspec.json.encode(finished))


def read_finished(lake: str, execution_id: str) -> Finished:
    """What a retry of this execution needs; BadRequest, which says what to do instead, where it is not there."""
    work = Work(lake, check_identifier("retry", execution_id))
    try:
        return msgspec.json.decode(storage.read(work.finished), type=Finished)
    except (MissingObject, AccessDenied) as error:  # S3 answers alike for both
        raise BadRequest(f"{execution_id} cannot be retried: {_why(work)}") from error


def sources_of(row: Mapping[str, Any]) -> set[str]:
    """The names by which rejects may tell of a row of a batch: its image, or its record and that one's images."""
    if "image_path" in row:
        return {row["image_path"]}
    return {*row["image_paths"], *([row["record_id"]] if row["record_id"] is not None else [])}


def _why(work: Work) -> str:
    if any(True for _ in storage.list_objects(work.uri)):
        return (
            "it has not committed its rows. If it runs, wait for its end; if it failed, redrive it from Step Functions,"
            " or put its upload in again"
        )
    return (
        f"{work.uri} holds nothing. An execution's files are deleted after WorkDays (14 by default), and with its"
        " experiment; put its upload in again, which replaces its rows"
    )
