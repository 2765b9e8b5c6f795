"""Every documented `pixlake` command of models takes the options that the page, or the help, gives it.

tests/processes/test_model_pages.py runs those that need no torch, models/tests the others.
"""

import re
import shlex

import click
import pytest

from models.tests.pages import PAGES, read_commands, read_examples
from pixlake_cli.main import cli

COMMANDS = {page: tuple(read_commands(page)) for page in PAGES}
EXAMPLES = {name: tuple(read_examples(name)) for name in ("compile", "export", "package", "train")}


@pytest.mark.parametrize(
    "command", [each for found in (COMMANDS, EXAMPLES) for shown in found.values() for each in shown]
)
def test_a_documented_command_has_the_options_that_the_page_gives_it(command: str) -> None:
    parse(shlex.split(re.sub(r"\$\([^)]*\)", "inner", command), comments=True)[1:])


def parse(arguments: list[str]) -> None:
    """As click does, but for the values: files that a page names are not here."""
    group: click.Command = cli
    # with its settings, for a command keeps the help option of the first context that it sees
    context = click.Context(cli, **cli.context_settings)
    while isinstance(group, click.Group):
        name, *arguments = arguments
        found = group.get_command(context, name)
        assert found, f"no command {name}"
        group, context = found, click.Context(found, parent=context)
    group.make_parser(context).parse_args(arguments)


def test_an_option_that_is_not_there_is_found() -> None:
    with pytest.raises(click.NoSuchOption):
        parse(["models", "get", "--colour", "x"])


def test_commands_inside_others_are_checked_too() -> None:
    found = COMMANDS["docs/photographs.md"]
    assert [command for command in found if command.startswith("pixlake models labels") and "--sql" in command]


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_found_on_every_page(page: str) -> None:
    assert COMMANDS[page]


@pytest.mark.parametrize("command", EXAMPLES)
def test_examples_are_found_in_the_help_of_every_command(command: str) -> None:
    assert EXAMPLES[command]
