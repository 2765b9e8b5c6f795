"""Restarts a command that needs torch in the environment that has it, where this Python has none."""

import subprocess
from pathlib import Path
from typing import Any

import click

from pixlake.errors import BadRequest
from pixlake.models_python import VARIABLE, find_models_python, has_torch

_ARGUMENTS = f"{__name__}.arguments"


class TorchCommand(click.Command):
    """A command whose body needs torch. Its options are read here, so that help and wrong usage need none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if has_torch():
            return super().invoke(ctx)
        commands = ctx.command_path.split()[1:]
        start = [_python(), "-c", _write_start(ctx.find_root()), *commands, *ctx.meta[_ARGUMENTS]]
        raise SystemExit(subprocess.run(start, check=False).returncode)


def _python() -> Path:
    python = find_models_python()
    if python is None:
        raise BadRequest(
            "making a model needs torch, which this Python lacks: install pixlake[models], run `make models` in a "
            f"checkout, or name in {VARIABLE} a Python that has pixlake[models]"
        )
    return python


def _write_start(root: click.Context) -> str:
    """Python for the command at the root, such as `pixlake`."""
    function = root.command.callback
    assert function
    return f"from {function.__module__} import {function.__name__} as root; root(prog_name={root.info_name!r})"
