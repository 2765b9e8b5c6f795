"""Why a child of a Map failed, written where RecordFailure finds it.

A Map that fails says only that more children failed than it tolerates. So a child that fails for good leaves
a note under `work/` first; trouble that passes leaves none, for the retry may well succeed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from pixlake import storage
from pixlake.errors import TransientError
from pixlake.lake import Work
from pixlake.messages import StateError

MAP_FAILED = "States.ExceedToleratedFailureThreshold"


@contextmanager
def record_child_failure(work: Work, child: str) -> Iterator[None]:
    """Leave a note of the error that ends the block, unless it may pass, and let the error go on."""
    try:
        yield
    except TransientError:
        raise
    except Exception as error:
        details = {"errorType": type(error).__name__, "errorMessage": str(error)}
        note = StateError(type(error).__name__, msgspec.json.encode(details).decode())
        storage.write(work.failure(child), msgspec.json.encode(note))
        raise


def read_note(uri: str) -> StateError:
    """The error that a child left."""
    return msgspec.json.decode(storage.read(uri), type=StateError)
