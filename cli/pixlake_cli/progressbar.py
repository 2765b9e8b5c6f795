"""A bar on a terminal for work of one kind; nothing where no person looks on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


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
