"""The options that name a command's lake."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from pixlake.errors import BadRequest
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


database_option = click.option(
    "--database",
    default=DATABASE,
    show_default=True,
    envvar="PIXLAKE_DATABASE",
    show_envvar=True,
    metavar="NAME",
    help="The Glue database of a lake on S3: the stack's output Database.",
)


def tables_option(function: F) -> F:
    """The options `--lake` and `--database`, for a command that reads tables wherever they are; the function gets a
    `lake: Lake`."""

    @wraps(function)
    def with_tables(*args: Any, lake: Lake, database: str, **kwargs: Any) -> Any:
        return function(*args, lake=lake.in_database(database), **kwargs)

    return cast("F", lake_option(database_option(with_tables)))


region_option = click.option(
    "--region", metavar="NAME", help="The stack's region. Default: AWS_REGION, or the profile's."
)
"""The option `--region`, for a command that asks AWS; the function gets a `region: str | None`."""


def place_option(function: F) -> F:
    """The options `--lake` and `--database`, or `--stack` and `--region`; the function gets a `lake: Lake`, and a
    `stack: Stack | None`, of which that lake is then."""

    @wraps(function)
    def with_place(
        *args: Any, lake: Lake | None, database: str, stack: str | None, region: str | None, **kwargs: Any
    ) -> Any:
        if stack is None and lake is not None:
            return function(*args, lake=lake.in_database(database), stack=None, **kwargs)
        given = click.get_current_context().get_parameter_source("lake") is ParameterSource.COMMANDLINE
        if stack is None or given:
            raise BadRequest("name one place: --lake DIR or --stack NAME")
        from pixlake_cli.stacks import make_client, open_stack

        opened = open_stack(stack, make_client(region))
        return function(*args, lake=opened.lake, stack=opened, **kwargs)

    option = click.option(
        "--stack", metavar="NAME", help="The stack, with the credentials that the AWS CLI would take."
    )
    return cast("F", lake_if_any(database_option(option(region_option(with_place)))))
