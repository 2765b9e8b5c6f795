"""Glue's answers, whole or asked for again.

botocore reads an answer that ends before its Content-Length as one without content, which pyiceberg takes for an
unknown one.
"""

from typing import Any

from botocore.exceptions import IncompleteReadError

_ATTEMPTS = 5


def require_whole(client: Any) -> None:
    """Let a client of boto3's ask again for an answer that was cut, and raise IncompleteReadError where all are."""
    client.meta.events.register("needs-retry.*", _needs_retry)


def _needs_retry(response: Any, attempts: int, **_: object) -> float | None:
    """Seconds until the next attempt, as botocore's events answer; None where none is needed."""
    if response is None:
        return None
    raw = response[0]
    given, said = len(raw.content), raw.headers.get("Content-Length")
    if said is None or given == int(said):
        return None
    if attempts >= _ATTEMPTS:
        raise IncompleteReadError(actual_bytes=given, expected_bytes=int(said))
    return 0.1 * 2.0**attempts
