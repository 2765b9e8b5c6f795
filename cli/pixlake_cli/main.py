"""The `pixlake` command. Each subcommand lives in a module of its own, imported only when it is asked for.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import importlib
import sys

import click
from click.shell_completion import CompletionItem

import pixlake
from pixlake.errors import BadRequest, PixlakeError, StorageError

COMMANDS = {
    "check": "pixlake_cli.commands.check:check",
    "upload": "pixlake_cli.commands.upload:upload",
    "run": "pixlake_cli.commands.run:run",
    "watch": "pixlake_cli.commands.watch:watch",
    "executions": "pixlake_cli.commands.executions:executions",
    "status": "pixlake_cli.commands.status:status",
    "rejects": "pixlake_cli.commands.rejects:rejects",
    "logs": "pixlake_cli.commands.logs:logs",
    "retry": "pixlake_cli.commands.retry:retry",
    "query": "pixlake_cli.commands.query:query",
    "search": "pixlake_cli.commands.search:search",
    "duplicates": "pixlake_cli.commands.duplicates:duplicates",
    "map": "pixlake_cli.commands.map:map_experiment",
    "classify": "pixlake_cli.commands.classify:classify",
    "export": "pixlake_cli.commands.export:export",
    "delete": "pixlake_cli.commands.delete:delete",
    "serve": "pixlake_cli.commands.serve:serve",
    "tables": "pixlake_cli.commands.tables:tables",
    "maintain": "pixlake_cli.commands.maintain:maintain",
    "models": "pixlake_cli.commands.models:models",
    "doctor": "pixlake_cli.commands.doctor:doctor",
}


class Failure(click.ClickException):
    """A PixlakeError as the command line shows it: one line on standard error."""

    def __init__(self, error: PixlakeError) -> None:
        super().__init__(" ".join(str(error).split()))

    def show(self, file: object = None) -> None:  # noqa: ARG002
        click.echo(f"pixlake: {self.message}", file=sys.stderr)


class WrongUsage(Failure):
    """What was asked for makes no sense: asking again the same way never helps."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands are imported when named, since DuckDB, pyiceberg and moto take their time."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names alone: for their help each command would be imported, at every key."""
        names = [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BadRequest as error:
            raise WrongUsage(error) from error
        except PixlakeError as error:
            raise Failure(error) from error
        except BrokenPipeError:
            # whoever read the output has enough; click ends it quietly
            raise
        except OSError as error:
            raise Failure(
                StorageError(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            ) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(pixlake.__version__, prog_name="pixlake")
def cli() -> None:
    """Images and a table in; embeddings, predictions and image search out, as Iceberg tables.

    A lake is a folder (or an S3 bucket) with the tables, the images and the models.
    """
