"""`pixlake logs`: what the functions of an execution logged."""

import re
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import click
import msgspec

from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_option

_Line = tuple[str, str, dict[str, Any] | None, str]
"""Time, function, what the line says as JSON, and the line."""
_ABOUT = ("batch_id", "index", "error", "seconds")


@click.command()
@click.argument("execution")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they were logged, one JSON object each.")
def logs(execution: str, lake: Lake, as_json: bool) -> None:
    """Print what the functions of EXECUTION logged, by time: a line for each invocation, and the trace of an error.

    A run on this machine keeps its logs with the files of the execution, which maintenance deletes after 14 days. On
    AWS they are in CloudWatch: one query follows an execution through all functions (docs/operations.md).

    \b
      pixlake logs 20261121T101112-pets-1a2b --lake my-lake
    """
    from pixlake_cli.engine.notes import list_logs, read_note

    if lake.folder is None:
        raise BadRequest(f"{lake.uri}: the logs of a stack are in CloudWatch; docs/operations.md has a query for them")
    found = list_logs(lake.folder, execution, read_note(lake.folder, execution))
    if not found:
        raise MissingObject(f"{lake.folder} has no logs of an execution {execution!r}: `pixlake executions` lists them")
    for _, function, said, line in sorted((line for log in found for line in _read(log)), key=itemgetter(0)):
        if not as_json:
            click.echo("\n".join(_shown(function, said, line)))
        elif said is not None:
            click.echo(line)


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
