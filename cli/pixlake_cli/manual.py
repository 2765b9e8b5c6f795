"""docs/cli.md, made of what `--help` says: `python -m pixlake_cli.manual > docs/cli.md`."""

from collections.abc import Iterator

import click

from pixlake_cli.main import cli

_WIDTH = 100
_INTRODUCTION = """\
# The command line
Made from `pixlake --help` by `make docs`; a test holds the two together.

Every command takes `--lake DIR`, or the variable `PIXLAKE_LAKE`. Exit codes: 0 done, 1 failed, 2 wrong usage.
An error is one line on standard error. `--json` goes to standard output, alone.

The shell completes commands and options by the Tab key, with a line in its startup file:

| shell | file | line |
| --- | --- | --- |
| bash 4.4 or later | `~/.bashrc` | `eval "$(_PIXLAKE_COMPLETE=bash_source pixlake)"` |
| zsh | `~/.zshrc` | `eval "$(_PIXLAKE_COMPLETE=zsh_source pixlake)"` |
| fish | `~/.config/fish/completions/pixlake.fish` | `_PIXLAKE_COMPLETE=fish_source pixlake \\| source` |
"""


def write_manual(group: click.Group) -> str:
    """The page: what each command's help says, in the order of the overview."""
    root = click.Context(group, info_name="pixlake", terminal_width=_WIDTH, **group.context_settings)
    return "\n".join([_INTRODUCTION, *_sections(group, root)])


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child:
                yield from _sections(child, click.Context(child, parent=context, info_name=name, terminal_width=_WIDTH))


if __name__ == "__main__":
    click.echo(write_manual(cli), nl=False)
