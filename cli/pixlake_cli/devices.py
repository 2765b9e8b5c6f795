"""The option that names the processor on which models run."""

import click

from pixlake.settings import Device


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
"""The option `--device`; the function gets a `device: Device`."""
