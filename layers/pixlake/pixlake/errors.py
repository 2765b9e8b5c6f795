"""Every error that Pixlake raises on purpose, in two branches, because the state machine treats them in two ways.

PixlakeError
├── BadInput                 the same input fails again: never retried
│   ├── BadRequest           an event, a setting or `pixlake.json` that does not fit its schema
│   ├── BadUpload            an upload that is refused as a whole; `reason` is a code in snake_case
│   ├── BadTable             a table file of which nothing can be read
│   ├── BadBundle            a model bundle that is missing, damaged or of another kind
│   │   └── ModelTimeout     a model that does not answer in its time
│   ├── BadImage             an image that cannot be used; `reason` is a code; steps turn it into a reject
│   ├── BadMember            a file of the upload that cannot be read; `reason` is a code; it becomes a reject
│   ├── NotServable          a trained model that no bundle can hold
│   │   └── NotEqual         a bundle whose outputs differ from those of its model
│   ├── MissingObject        an object that should be there and is not
│   ├── ChangedObject        an object that was replaced since its version was recorded
│   ├── AccessDenied         an object that may not be read or written
│   └── TooManyLost          more batches lost than the stack tolerates
└── TransientError           the same input may work a moment later: retried with backoff
    ├── StorageError         the object store failed or returned too few bytes
    ├── CatalogError         the catalog failed
    └── CommitConflict       others committed first, more often than one invocation can retry

Step Functions sees an error by its class name, so a `Retry` in the state machine names exactly the classes under
`TransientError`; a test holds the two together.
"""


class PixlakeError(Exception):
    """The base of all errors here. The message says what is wrong, where, and what to do about it."""


class BadInput(PixlakeError):
    """The input is at fault: a retry fails again."""


class BadRequest(BadInput):
    """An event, a setting or a `pixlake.json` does not fit its schema."""


class BadUpload(BadInput):
    """The upload is refused as a whole, before anything of it is in a table."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class BadTable(BadInput):
    """A table file cannot be read at all; single bad rows become rejects instead."""


class BadBundle(BadInput):
    """A model bundle is missing, damaged, or of another kind than asked for."""


class ModelTimeout(BadBundle):
    """A model did not load, or did not answer, in the time that it has."""


class BadImage(BadInput):
    """An image cannot be decoded within the limits. A step makes a reject of it; a request for one image sees it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BadMember(BadInput):
    """One file of the upload cannot be read; the others can. It becomes a reject, or refuses the upload if a table."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotServable(BadInput):
    """A trained model cannot be made into a bundle; the message says which part and why."""


class NotEqual(NotServable):
    """A bundle's outputs differ from those of its model, so it is not written."""


class MissingObject(BadInput):
    """An object that an earlier step should have written, or that a request names, is not there."""


class ChangedObject(BadInput):
    """An object is no longer the one whose version was recorded: another was put in its place."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri} was replaced while it was in use")
        self.uri = uri


class AccessDenied(BadInput):
    """The store refuses access to an object: a permission is missing."""


class TooManyLost(BadInput):
    """More batches are lost than the stack tolerates; nothing is committed."""


class TransientError(PixlakeError):
    """Something outside failed, and may work a moment later."""


class StorageError(TransientError):
    """The object store failed, or gave fewer bytes than it has."""


class CatalogError(TransientError):
    """The catalog failed."""


class CommitConflict(TransientError):
    """Other writers committed first each time the commit was planned."""
