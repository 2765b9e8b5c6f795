"""Options that several of these commands have."""

import click

from pixlake.iceberg.lakes import Lake
from pixlake.settings import Device

lake_if_any = click.option(
    "--lake",
    type=Lake.at,
    envvar="PIXLAKE_LAKE",
    show_envvar=True,
    metavar="DIR",
    help="The lake: a folder, or s3://bucket with its tables in Glue.",
)


def _choose(_context: click.Context, _parameter: click.Parameter, asked: str) -> Device:
    from pixlake.inference.devices import choose_device

    return choose_device(asked)


device_option = click.option(
    "--device",
    type=click.Choice([*(each.value for each in Device), "auto"]),
    default="cpu",
    show_default=True,
    callback=_choose,
    help="Where models run: on the cores; on an NVIDIA GPU, with onnxruntime-gpu; on a GPU if there is one.",
)
