"""An experiment's state from one upload to the next: the column that its records are keyed by.

The rows of two uploads are merged by their ids, so an id must mean the same in both. The first committed upload
decides, by an object that is created once; one that failed before leaves nothing (docs/adr/0012).
"""

import msgspec

from pixlake import storage
from pixlake.errors import BadUpload
from pixlake.lake import experiment_uri


class Experiment(msgspec.Struct, frozen=True):
    """The object `experiments/<experiment_id>/key.json`. `upload_uri` is the upload that decided, `guessed` whether
    nothing told that the column is a key."""

    id_column: str
    upload_uri: str
    guessed: bool = False


def read_experiment(lake: str, experiment_id: str) -> Experiment | None:
    """The stored state; None before the first upload with a table."""
    uri = experiment_uri(lake, experiment_id)
    # listed first: S3 answers alike for a missing object and a denied one
    there = any(info.uri == uri for info in storage.list_objects(uri.rpartition("/")[0]))
    return msgspec.json.decode(storage.read(uri), type=Experiment) if there else None


def keep_experiment(lake: str, experiment_id: str, mine: Experiment) -> None:
    """Store `mine`, unless one is stored; BadUpload `other_id_column` where that has another column."""
    uri = experiment_uri(lake, experiment_id)
    if storage.create(uri, msgspec.json.encode(mine)):
        return
    theirs = msgspec.json.decode(storage.read(uri), type=Experiment)
    if theirs.id_column != mine.id_column:
        raise other_column(experiment_id, theirs, f"this upload by {mine.id_column!r}")


def other_column(experiment_id: str, kept: Experiment, instead: str) -> BadUpload:
    """The refusal of an upload whose ids are those of another column; `instead` says what it has."""
    return BadUpload(
        "other_id_column",
        f"the experiment {experiment_id!r} is keyed by {kept.id_column!r} since {kept.upload_uri}, and {instead}; set"
        f" id_column to {kept.id_column!r} in pixlake.json if the table has it, or upload to another experiment",
    )
