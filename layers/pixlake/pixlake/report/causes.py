"""The cause of a failure and its remedy, from the error that Step Functions reports."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from pixlake.failures import MAP_FAILED, read_child_failure
from pixlake.messages import ChildFailure, StateError
from pixlake.report.gather import Listing

_OUT_OF_TIME = "A function ran out of time. Give it more time or memory, or make the shards or batches smaller."
_OUT_OF_MEMORY = (
    "A function ran out of memory. Raise InferenceMemory, SplitMemory or CompactMemory, by the step that failed, or "
    "make batches smaller by BatchRows; then redrive the execution."
)
_THROTTLED = "The account's concurrency was taken for hours: raise its quota, or lower MapConcurrency."
_AGAIN = "redrive the execution or upload again: rows get replaced."
NOT_MERGED, NOT_KEPT = "TableNotMerged", "TableNotKept"
"""The errors of compact_athena.asl.yaml."""
_ADVICE = {
    "BadRequest": "Correct the event, the setting or pixlake.json as the message says, and put the upload in again.",
    "BadUpload": "Nothing of it is in a table. Put right what the message names, and upload it again.",
    "BadTable": "Nothing of it is in a table. Put right the table or pixlake.json, and upload it again.",
    "BadBundle": "Check the model in the lake with `pixlake models show NAME`, push it again, and redo the upload.",
    "ModelTimeout": "Try the model with `pixlake models verify NAME`. The variable MAX_MODEL_SECONDS gives one longer.",
    "ChangedObject": "Something was replaced while the execution ran. Put the upload in again, under a new name.",
    "AccessDenied": "Grant what the message names, or put it there, and redrive the execution or upload again.",
    "MissingObject": "Something was deleted while the execution ran, or was never there. Put the upload in again.",
    "TooManyLost": "Nothing is committed. The logs of Embed and Classify say why batches failed; then upload again.",
    "StorageError": f"The store failed through all retries. When it works, {_AGAIN}",
    "CatalogError": f"The catalog failed through all retries. When it works, {_AGAIN}",
    "CommitConflict": f"Others committed first, each time. When fewer run, {_AGAIN}",
    "States.Timeout": _OUT_OF_TIME,
    "Sandbox.Timedout": _OUT_OF_TIME,
    "Runtime.OutOfMemory": _OUT_OF_MEMORY,
    "Runtime.ExitError": "A function died, most often out of memory. Give it more, or make shards and batches smaller.",
    "Lambda.TooManyRequestsException": f"{_THROTTLED} Then redrive the execution.",
    **dict.fromkeys(
        (
            "Lambda.CodeArtifactUserPendingException",
            "Lambda.ResourceConflictException",
            "Lambda.ClientExecutionTimeoutException",
        ),
        f"Lambda was not ready with the function, for minutes: see its state in the console. Then {_AGAIN}",
    ),
    **dict.fromkeys(
        ("Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.Unknown"),
        f"Lambda failed through all retries. When it works, {_AGAIN}",
    ),
    "States.ExceedToleratedFailureThreshold": "More batches failed than are tolerated: see the logs of the Map's runs.",
    NOT_MERGED: "Nothing is lost: the upload's parts stay for WorkDays. Put right what Athena says: for a timeout "
    'raise the quota "DML query timeout", for a permission grant it. Then redrive the execution.',
    NOT_KEPT: "The rows are in the tables, but packing one of these failed, and those after it wait. Put right what "
    "Athena says, and redrive the execution within WorkDays.",
    # statuses, for which Step Functions reports no error
    "ABORTED": f"Somebody stopped it. If it should go on after all, {_AGAIN}",
    "TIMED_OUT": f"The execution as a whole took too long. If it should go on, {_AGAIN}",
}
_ELSE = "Pixlake does not raise this on purpose: see the function's log, and report it with the lines below."
_REASON = re.compile(r"([a-z][a-z0-9_]*): ")


@dataclass(frozen=True)
class Cause:
    """An error taken apart. `reason` is a code for grouping; `step` is a state's name."""

    error: str
    message: str
    reason: str
    step: str
    advice: str
    trace: list[str]


def explain(error: StateError, listing: Listing, shards: int) -> Cause:
    """The cause behind an execution's error.

    A Map does not report why it failed, so its cause is the newest note of a failed child: the notes of children that
    succeeded in a redrive are older. The failed step is found by the objects that the steps wrote.
    """
    if error.error == MAP_FAILED and (notes := listing.under("failures/")):
        return _explain_child(read_child_failure(max(notes, key=lambda note: note.last_modified).uri))
    details = _details(error.cause)
    if "StateMachineArn" in details or error.error in (NOT_MERGED, NOT_KEPT):
        return _explain_athena(error, details)
    message = str(details.get("errorMessage") or error.cause or "no message")
    trace = [line for entry in _texts(details.get("stackTrace")) for line in entry.splitlines()]
    return _make_cause(error.error, message, find_step(listing, shards), trace)


def _explain_child(failure: ChildFailure) -> Cause:
    return _make_cause(failure.error, failure.message, failure.step, [])


def _explain_athena(error: StateError, details: dict[str, Any]) -> Cause:
    """Of a nested execution Step Functions reports its description: its error, and for its cause Athena's answer."""
    kind = NOT_KEPT if NOT_KEPT in (error.error, details.get("Error")) else NOT_MERGED
    cause = str(details.get("Cause") or error.cause)
    status = _details(cause).get("QueryExecution", {}).get("Status", {})
    return _make_cause(kind, str(status.get("StateChangeReason") or cause), "CompactOnAthena", [])


def _make_cause(error: str, message: str, step: str, trace: list[str]) -> Cause:
    refused = _REASON.match(message) if error == "BadUpload" else None
    return Cause(
        error=error,
        message=message,
        reason=refused[1] if refused else error,
        step=step,
        advice=_ADVICE.get(error, _ELSE),
        trace=[] if error in _ADVICE else trace,
    )


def _details(cause: str) -> dict[str, Any]:
    """The JSON object that Lambda makes of an exception; empty for any other text."""
    try:
        return msgspec.json.decode(cause, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {}


def _texts(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def find_step(listing: Listing, shards: int) -> str:
    """The first step whose objects under `work/` are incomplete; Report, the last one, writes none."""
    if listing.under("compacted.json"):  # first, for a few batches may be lost
        return "Report"
    if not listing.under("shards.json"):
        return "Plan"
    if len(listing.under("extracted/")) < shards:
        return "Extract"
    if not listing.under("batches.json"):
        return "Split"
    done = len(listing.under("parts/embeddings/")) + len(listing.under("parts/predictions/"))
    return "Infer" if done < len(listing.under("batches/")) else "Compact"
