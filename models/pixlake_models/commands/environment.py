"""The Python that makes bundles: torch and AutoGluon weigh gigabytes, so they live in an environment of their own.

A command that needs them starts again there, with the same arguments, where the `pixlake` at hand has no torch.
"""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import click

import pixlake
import pixlake_models
from pixlake.errors import BadRequest

VARIABLE = "PIXLAKE_MODELS_PYTHON"
_ARGUMENTS = f"{__name__}.arguments"
_START = "from pixlake_cli.main import cli; cli(prog_name='pixlake')"


class TorchCommand(click.Command):
    """A command whose body needs torch. Its options are read here, so that help and wrong usage need none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if importlib.util.find_spec("torch"):
            return super().invoke(ctx)
        commands = ctx.command_path.split()[1:]
        raise SystemExit(_run_elsewhere([*commands, *ctx.meta[_ARGUMENTS]]))


def models_python() -> Path:
    """The Python of the models environment; BadRequest where there is none."""
    named = os.environ.get(VARIABLE)
    python = Path(named) if named else _checkout() / ".venv-models" / "bin" / "python"
    if not python.exists():
        raise BadRequest(
            f"making a model needs torch, and there is no {python}; run `make models` in a checkout, or name "
            f"in {VARIABLE} a Python that has what Pixlake's models/requirements.txt lists"
        )
    return python


def find_models_python() -> str:
    """The Python of the models environment, which on a laptop stands in for the AutoGluon container; else nothing."""
    try:
        return str(models_python())
    except BadRequest:
        return ""


def _run_elsewhere(arguments: list[str]) -> int:
    roots = [str(Path(module.__path__[0]).parent) for module in _packages()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(roots)}
    return subprocess.run([str(models_python()), "-c", _START, *arguments], env=environment, check=False).returncode


def _packages() -> list[Any]:
    import pixlake_cli

    return [pixlake, pixlake_cli, pixlake_models]


def _checkout() -> Path:
    return Path(pixlake_models.__path__[0]).parents[1]
