"""Errors of the catalog, and of files below it, in Pixlake's terms, with the table's name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyiceberg.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from pyiceberg.exceptions import CommitFailedException, ValidationException

from pixlake.errors import CatalogError, StorageError

CONFLICTS = (CommitFailedException, ValidationException)
"""What pyiceberg raises where another commit came first; nothing of ours is in the table then."""

_CATALOG = tuple(
    error
    for error in vars(pyiceberg.exceptions).values()
    if isinstance(error, type) and issubclass(error, Exception) and error not in CONFLICTS
)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Turn what comes from below into TransientError that names `subject`; conflicts pass, to be planned again."""
    try:
        yield
    except CONFLICTS:
        raise
    except (*_CATALOG, *_sql_errors(), BotoCoreError, ClientError) as error:
        # SQLAlchemy's own text quotes the statement and its parameters
        reason = getattr(error, "orig", None) or error
        raise CatalogError(f"{subject}: {type(error).__name__}: {reason}") from error
    except (BaseError, OSError) as error:
        raise StorageError(f"{subject}: {error}") from error


def _sql_errors() -> tuple[type[Exception], ...]:
    """SQLAlchemy's, where it is loaded: only a catalog in SQLite does that."""
    module = sys.modules.get("sqlalchemy.exc")
    return (module.SQLAlchemyError,) if module else ()
