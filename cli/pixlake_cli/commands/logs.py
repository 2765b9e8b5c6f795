"""`pixlake logs`: what the functions of an execution logged."""

import re
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import place_option

if TYPE_CHECKING:
    from pixlake_cli.stacks import Stack

_Line = tuple[str, str, dict[str, Any] | None, str]
"""Time, function, what the line says as JSON, and the line."""
_ABOUT = ("batch_id", "index", "error", "seconds")


@click.command()
@click.argument("execution")
@place_option
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they were logged, one JSON object each.")
def logs(execution: str, lake: Lake, stack: "Stack | None", as_json: bool) -> None:
    """Print what the functions of EXECUTION logged, by time: a line for each invocation, and the trace of an error.

    A run on this machine keeps its logs with the files of the execution, which maintenance deletes after 14 days. Those
    of a stack are CloudWatch's, of the execution's time.

    \b
      pixlake logs 20261121T101112-pets-1a2b --lake my-lake
      pixlake logs 0a1b2c3d-pets --stack pixlake
    """
    for _, function, said, line in _find(execution, lake, stack):
        if not as_json:
            click.echo("\n".join(_shown(function, said, line)))
        elif said is not None:
            click.echo(line)


def _find(execution: str, lake: Lake, stack: "Stack | None") -> Iterable[_Line]:
    if stack is not None:
        from pixlake_cli.cloudlogs import read_logs

        return ((time, function, _parse(line), line) for time, function, line in read_logs(stack, execution))
    from pixlake_cli.engine.notes import list_logs, read_note

    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: the logs of a stack are in CloudWatch: name it with --stack")
    found = list_logs(lake.folder, execution, read_note(lake.folder, execution))
    if not found:
        raise MissingObject(f"{lake.folder} has no logs of an execution {execution!r}: `pixlake executions` lists them")
    return sorted((line for log in found for line in _read(log)), key=itemgetter(0))


def _read(log: Path) -> Iterator[_Line]:
    """The lines of one log; one that is no JSON has the time of the line before."""
    function, time = log.name.partition("-")[0].removesuffix("Function"), ""
    for line in log.read_text(errors="replace").splitlines():
        said = _parse(line)
        if said is not None:
            time = str(said.get("timestamp", time))
        yield time, function, said, line


def _parse(line: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _shown(function: str, said: dict[str, Any] | None, line: str) -> Iterator[str]:
    if said is None or "message" not in said:
        yield f"{'':12} {function}: {line}"
        return
    moment = re.search(r"\d\d:\d\d:\d\d[,.]\d+", str(said.get("timestamp", "")))
    about = " ".join(f"{name}={said[name]}" for name in _ABOUT if name in said)
    yield f"{moment[0] if moment else '':12} {function}: {said.get('level', '')} {said['message']} {about}".rstrip()
    yield from (f"{'':14}{each}" for each in str(said.get("exception", "")).splitlines())
