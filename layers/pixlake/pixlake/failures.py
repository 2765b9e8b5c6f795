"""The error of a Map's child, written for RecordFailure to read.

A failed Map reports only that more children failed than it tolerates. So a child that fails for good first writes a
note under `work/`. A transient error leaves none, for the retry may succeed.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from pixlake import storage
from pixlake.errors import PixlakeError, TransientError
from pixlake.lake import Work
from pixlake.messages import ChildFailure

MAP_FAILED = "States.ExceedToleratedFailureThreshold"


@contextmanager
def record_child_failure(work: Work, step: str, child: str) -> Iterator[None]:
    """Write a note of the error that ends the block, unless it is transient, and raise the error again.

    `step` is the state that runs the block, `child` the name of its item.
    """
    try:
        yield
    except TransientError:
        raise
    except Exception as error:
        note = ChildFailure(step, type(error).__name__, str(error))
        with suppress(PixlakeError):  # the error itself says more than a note that could not be written
            storage.write(work.failure(child), msgspec.json.encode(note))
        raise


def read_child_failure(uri: str) -> ChildFailure:
    """The note that a child wrote."""
    return msgspec.json.decode(storage.read(uri), type=ChildFailure)
