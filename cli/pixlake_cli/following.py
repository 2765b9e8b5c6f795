"""An execution looked at again and again until it ends, shown on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from pixlake_cli.executions import RUNNING, Status
from pixlake_cli.statuses import as_text

SECONDS = 2.0


def follow(look: Callable[[], Status], seconds: float = SECONDS) -> Status:
    """The status at its end. On a terminal all that is known is shown live; elsewhere a line for each change."""
    with _showing() as show:
        while (status := look()).execution.status == RUNNING:
            show(status)
            time.sleep(seconds)
    return status


@contextmanager
def _showing() -> Iterator[Callable[[Status], None]]:
    if not sys.stderr.isatty():
        yield _lines()
        return
    with Live(console=Console(stderr=True), transient=True) as live:
        yield lambda status: live.update(Text(as_text(status)), refresh=True)


def _lines() -> Callable[[Status], None]:
    last = ""

    def show(status: Status) -> None:
        nonlocal last
        done, total = status.done.get(status.state, (0, 0))
        line = f"{status.state}: {done:,} of {total:,}" if total else status.state
        if line and line != last:
            click.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)
        last = line or last

    return show
