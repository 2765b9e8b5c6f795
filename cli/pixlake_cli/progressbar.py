"""Bars on a terminal: for things that are counted, and for bytes that are sent."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_LINE_SECONDS = 10.0


@contextmanager
def counting(work: str, things: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many of the things are done, and of how many, for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn(work), BarColumn(), MofNCompleteColumn(), TextColumn(things), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(work, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def transferring(total: int) -> Iterator[Callable[[int], None]]:
    """A function that shows how many bytes are there, of at most `total`; on no terminal a line each ten seconds."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    columns = (TextColumn("Uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("Uploading", total=total)
        yield lambda done: bars.update(task, completed=done)


def _lines(total: int) -> Callable[[int], None]:
    last = time.monotonic()

    def show(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            print(f"Uploading: {done >> 20:,} of {total >> 20:,} MiB", file=sys.stderr)

    return show
