"""The options of a command that override an upload's `pixlake.json`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from pixlake.options import parse_setting

F = TypeVar("F", bound=Callable[..., Any])

complete_option = click.option(
    "--complete",
    is_flag=True,
    help="UPLOAD is the whole experiment: older records, embeddings and predictions go.",
)
"""The option `--complete`; the function gets a `complete: bool`."""

settings_option = click.option(
    "--set",
    "settings",
    metavar="FIELD=VALUE",
    multiple=True,
    callback=lambda _context, _option, values: [parse_setting(value) for value in values],
    help="A field of pixlake.json, as image_column=photo or classifier.orphan=pets; more than once for several.",
)
"""The option `--set`; the function gets `settings: list[dict[str, Any]]`."""


def merge_settings(settings: Iterable[Mapping[str, Any]], *, complete: bool) -> dict[str, Any]:
    """One object, as in a `pixlake.json`; of two values of a field the later one."""
    asked = [*settings, *([{"complete": True}] if complete else [])]
    options = {name: value for each in asked for name, value in each.items()}
    roles = {role: name for each in asked for role, name in each.get("classifier", {}).items()}
    return {**options, "classifier": roles} if roles else options
