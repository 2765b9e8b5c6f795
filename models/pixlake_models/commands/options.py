"""Options that several of these commands have."""

import click

from pixlake.iceberg.lakes import Lake

lake_if_any = click.option(
    "--lake",
    type=Lake.at,
    envvar="PIXLAKE_LAKE",
    show_envvar=True,
    metavar="DIR",
    help="The lake: a folder, or s3://bucket with its tables in Glue.",
)
