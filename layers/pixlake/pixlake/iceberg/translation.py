"""Errors of the catalog, and of files below it, in Pixlake's terms, with the table's name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyiceberg.exceptions
from botocore.exceptions import BotoCoreError, ClientError
from obstore.exceptions import BaseError
from pyiceberg.exceptions import CommitFailedException, ValidationException

from pixlake.errors import AccessDenied, CatalogError, StorageError

CONFLICTS = (CommitFailedException, ValidationException)
"""What pyiceberg raises where another commit came first; nothing of ours is in the table then."""

_CATALOG = tuple(
    error
    for error in vars(pyiceberg.exceptions).values()
    if isinstance(error, type) and issubclass(error, Exception) and error not in CONFLICTS
)


_DENIED = {"AccessDenied", "AccessDeniedException", "UnrecognizedClientException"}
_GRANTS = {
    "GetDatabase": "DESCRIBE on the database",
    "GetTable": "DESCRIBE and SELECT on the table",
    "GetTables": "DESCRIBE on the tables",
    "CreateTable": "CREATE_TABLE on the database and DATA_LOCATION_ACCESS on the lake's bucket",
    "UpdateTable": "ALTER, INSERT and DELETE on the table",
}


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Turn what comes from below into errors of ours that name `subject`; conflicts pass, to be planned again.

    What is denied becomes AccessDenied with the grant that is missing, anything else a TransientError.
    """
    try:
        yield
    except CONFLICTS:
        raise
    except ClientError as error:
        if error.response["Error"]["Code"] in _DENIED:
            raise AccessDenied(f"{subject}: {_missing_grant(error)}") from error
        raise CatalogError(f"{subject}: {type(error).__name__}: {error}") from error
    except (*_CATALOG, *_sql_errors(), BotoCoreError) as error:
        # SQLAlchemy's own text quotes the statement and its parameters
        reason = getattr(error, "orig", None) or error
        raise CatalogError(f"{subject}: {type(error).__name__}: {reason}") from error
    except (BaseError, OSError) as error:
        raise StorageError(f"{subject}: {error}") from error


def _missing_grant(error: ClientError) -> str:
    action, message = error.operation_name, error.response["Error"].get("Message", "")
    found = f"glue:{action} is denied: {message}. Grant it to the function's role"
    if action in _GRANTS:
        found += f"; where Lake Formation governs the database, grant {_GRANTS[action]}, too"
    return found


def _sql_errors() -> tuple[type[Exception], ...]:
    """SQLAlchemy's, where it is loaded: only a catalog in SQLite does that."""
    module = sys.modules.get("sqlalchemy.exc")
    return (module.SQLAlchemyError,) if module else ()
