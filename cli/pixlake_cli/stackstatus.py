"""Executions of a stack looked at: what Step Functions says, and why it failed by what the lake keeps of it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from pixlake.errors import MissingObject, PixlakeError
from pixlake.lake import Work, report_uri
from pixlake.messages import StateError
from pixlake.report.causes import explain
from pixlake.report.gather import Listing, count_shards, list_work
from pixlake_cli import executions, machines
from pixlake_cli.executions import RUNNING, SUCCEEDED, Execution, Failure, Status, execution_of, read_children
from pixlake_cli.machines import Child, Seen, list_failed_children
from pixlake_cli.stacks import Stack, read_json

_NOTHING = Listing("", ())


def look_at(stack: Stack, name: str) -> Status:
    """What can be said now of the execution of this name; MissingObject where the stack knows none."""
    seen = machines.look_at(stack, name)
    execution = execution_of(seen)
    if seen.status == RUNNING:
        return Status(execution, seen.state, seen.done)
    listing, shards = _list_work(stack, name)
    children = read_children(listing) or (list(_read_children(stack, seen)) if seen.lost else [])
    if seen.status == SUCCEEDED:
        return Status(
            execution,
            children=children,
            rejects=seen.output.get("reasons", {}),
            report=seen.output.get("report_uri"),
            warnings=list(seen.output.get("warnings", ())),
        )
    failure = _explain(seen, listing, shards, children)
    return Status(execution, seen.state, seen.done, failure, children, report=report_uri(stack.lake.uri, name))


def look_at_known(stack: Stack, execution: Execution) -> Status:
    """The same of one that is listed: its counts are the table's, and what Step Functions forgets after 90 days is said
    by the lake alone."""
    try:
        found = look_at(stack, execution.execution_id)
    except MissingObject:
        return executions.look_at(stack.lake, execution)
    if found.execution.status == RUNNING or execution.status == RUNNING:
        return found
    return replace(found, execution=execution)


def _explain(seen: Seen, listing: Listing, shards: int, children: list[Failure]) -> Failure:
    """The error of the state that failed; of a Map whose children's errors the lake does not have, Step Functions'."""
    cause = explain(StateError(seen.error or seen.status, seen.cause), listing, shards)
    if cause.error.startswith("States.Exceed") and children:
        first = children[0]
        told = explain(StateError(first.error, first.message), listing, shards)
        return Failure(seen.state, first.error, told.message, told.advice, first.child)
    return Failure(seen.state or cause.step, cause.error, cause.message, cause.advice)


def _read_children(stack: Stack, seen: Seen) -> Iterator[Failure]:
    found: list[Child] = []
    # who may not ask has the Map's own error
    with suppress(PixlakeError):
        found = list_failed_children(stack, seen)
    for child in found:
        cause = read_json(child.cause)
        message = cause.get("errorMessage", "") if isinstance(cause, dict) else child.cause
        yield Failure(child.state, child.error, message, child=child.name)


def _list_work(stack: Stack, name: str) -> tuple[Listing, int]:
    """Nothing where the lake may not be read, as by who only uploads."""
    work = Work(stack.lake.uri, name)
    with suppress(PixlakeError):
        listing = list_work(work)
        return listing, count_shards(work, listing)
    return _NOTHING, 0
