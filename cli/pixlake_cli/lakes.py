"""The options that name a command's lake."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from pixlake.iceberg.lakes import DATABASE, Lake

F = TypeVar("F", bound=Callable[..., Any])


def _make_option(required: bool) -> Callable[[F], F]:
    return click.option(
        "--lake",
        type=Lake.at,
        required=required,
        envvar="PIXLAKE_LAKE",
        show_envvar=True,
        metavar="DIR",
        help="The lake: a folder, or s3://bucket with its tables in Glue.",
    )


lake_option = _make_option(required=True)
"""The option `--lake`, the same for every command; the function gets a `lake: Lake`."""

lake_if_any = _make_option(required=False)
"""The same for a command that can do without; the function gets a `lake: Lake | None`."""


def tables_option(function: F) -> F:
    """The options `--lake` and `--database`, for a command that reads tables wherever they are; the function gets a
    `lake: Lake`."""

    @wraps(function)
    def with_tables(*args: Any, lake: Lake, database: str, **kwargs: Any) -> Any:
        return function(*args, lake=lake.in_database(database), **kwargs)

    option = click.option(
        "--database",
        default=DATABASE,
        show_default=True,
        envvar="PIXLAKE_DATABASE",
        show_envvar=True,
        metavar="NAME",
        help="The Glue database of a lake on S3: the stack's output Database.",
    )
    return cast("F", lake_option(option(with_tables)))


region_option = click.option(
    "--region", metavar="NAME", help="The stack's region. Default: AWS_REGION, or the profile's."
)
"""The option `--region`, for a command that asks AWS; the function gets a `region: str | None`."""
