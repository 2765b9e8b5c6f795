"""Shows a run's progress on standard error: bars on a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from pixlake_cli.engine.progress import Step

LINE_SECONDS = 10.0


@contextmanager
def shown() -> Iterator[Callable[[Step], None]]:
    """A function that shows one step, valid within the block."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    name, detail = TextColumn("{task.description:<14}"), TextColumn("{task.fields[detail]}")
    columns = (name, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), detail)
    with Bars(*columns, console=Console(stderr=True)) as bars:
        yield _bars(bars)


def _bars(bars: Bars) -> Callable[[Step], None]:
    tasks: dict[str, TaskID] = {}

    def show(step: Step) -> None:
        if step.name not in tasks:
            tasks[step.name] = bars.add_task(step.name, total=step.total, detail="")
        bars.update(tasks[step.name], total=step.total, completed=step.done, detail=step.detail)

    return show


def _lines() -> Callable[[Step], None]:
    shown_at: dict[str, float] = {}

    def show(step: Step) -> None:
        now = time.monotonic()
        if step.done == step.total:
            click.echo(f"{step.name:<14}{step.seconds:7.1f} s  {step.detail}".rstrip(), err=True)
        elif now - shown_at.setdefault(step.name, now) >= LINE_SECONDS:
            shown_at[step.name] = now
            running = now - step.started
            click.echo(f"{step.name:<14}{running:7.1f} s  {step.done} of {step.total}, {step.detail}", err=True)

    return show
