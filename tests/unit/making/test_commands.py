"""How the commands that make models reach `pixlake models`, and how one of them reaches torch."""

import sys
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pixlake_cli.commands.models import GROUP, models, verify
from pixlake_cli.main import cli
from pixlake_models.commands import environment
from pixlake_models.commands.environment import TorchCommand
from pixlake_models.commands.zero_shot import zero_shot


@click.group()
def root() -> None:
    """A command line of its own."""


@root.command(cls=TorchCommand)
@click.argument("words", nargs=-1)
@click.option("--loud", is_flag=True)
def speak(words: tuple[str, ...], loud: bool) -> None:
    print("here", *words, loud)


@pytest.fixture
def models_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that writes down what it is started with, and ends with 7."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/started\nexit 7\n')
    python.chmod(0o755)
    monkeypatch.setenv("PIXLAKE_MODELS_PYTHON", str(python))
    return python


def test_every_registered_command_is_one_of_pixlake_models() -> None:
    registered = entry_points(group=GROUP)
    assert registered.names == {"compile", "export", "get", "package", "train", "try", "zero-shot"}
    context = click.Context(models, parent=click.Context(cli))
    assert {*registered.names, "list", "verify"} <= set(models.list_commands(context))
    for each in registered:
        assert models.get_command(context, each.name) is each.load()
        assert each.load().name == each.name


def test_the_option_for_a_lake_is_the_commands_own() -> None:
    ours, theirs = (
        next(option for option in command.params if option.name == "lake").to_info_dict()
        for command in (zero_shot, verify)
    )
    assert ours == theirs


def test_without_torch_the_whole_command_starts_again_elsewhere(
    models_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "has_torch", lambda: False)
    done = CliRunner().invoke(root, ["speak", "--loud", "two words", "--", "-x"], prog_name="tool")
    assert (done.exit_code, done.stdout) == (7, "")
    flag, start, *arguments = (models_python.parent / "started").read_text().splitlines()
    assert (flag, arguments) == ("-c", ["speak", "--loud", "two words", "--", "-x"])
    assert start == f"from {__name__} import root as root; root(prog_name='tool')"


def test_with_torch_it_runs_where_it_is(models_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "has_torch", lambda: True)
    assert CliRunner().invoke(root, ["speak", "hello"]).stdout == "here hello False\n"
    assert not (models_python.parent / "started").exists()


def test_wrong_usage_needs_no_torch(models_python: Path) -> None:
    assert CliRunner().invoke(root, ["speak", "--quiet"]).exit_code == 2
    assert not (models_python.parent / "started").exists()


def test_the_python_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "has_torch", lambda: False)
    monkeypatch.setenv("PIXLAKE_MODELS_PYTHON", f"{sys.prefix}/nowhere")
    done = CliRunner().invoke(cli, ["models", "compile", str(Path.cwd())])
    assert done.exit_code == 2
    assert f"PIXLAKE_MODELS_PYTHON is {sys.prefix}/nowhere, where there is no Python" in done.stderr


def test_without_any_the_ways_to_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "has_torch", lambda: False)
    monkeypatch.setattr(environment, "find_models_python", lambda: None)
    done = CliRunner().invoke(cli, ["models", "compile", str(Path.cwd())])
    assert done.exit_code == 2
    assert all(way in done.stderr for way in ("pixlake[models]", "make models", "PIXLAKE_MODELS_PYTHON"))
