"""`pixlake doctor`: whether this machine, a lake and a stack can run uploads."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import lake_if_any, region_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pixlake_cli.diagnosis import Finding

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@click.command()
@lake_if_any
@click.option("--stack", metavar="NAME", help="Look at this stack, with the credentials that the AWS CLI would take.")
@region_option
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects.")
def doctor(lake: Lake | None, stack: str | None, region: str | None, as_json: bool) -> None:
    """Say whether this machine, a lake and a stack can run uploads, and what to do where they cannot.

    Of the machine: versions, ONNX Runtime, the confinement of the processes that decode images, Docker. Of a lake: its
    tables, models and room. Of a stack: credentials, outputs, buckets, the state machine, the models that its
    parameters name, and Lambda's concurrency quota against MapConcurrency. It changes nothing.

    Exits with 1 where something is BAD; a note is for you to judge.

    \b
      pixlake doctor
      pixlake doctor --lake my-lake
      pixlake doctor --stack pixlake --region eu-central-1
    """
    found = []
    for finding in _look(lake, stack, region):
        found.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.state]} {finding.subject}: {' '.join(finding.said.split())}")
            if finding.advice:
                click.echo(f"     {finding.advice}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=1))
    if any(finding.state == "bad" for finding in found):
        sys.exit(1)


def _look(lake: Lake | None, stack: str | None, region: str | None) -> "Iterator[Finding]":
    from pixlake_cli.diagnosis import look_at_lake, look_at_machine, look_at_stack

    yield from look_at_machine()
    if lake is not None:
        yield from look_at_lake(lake)
    if stack is not None:
        import boto3

        yield from look_at_stack(stack, boto3.Session(region_name=region).client)
