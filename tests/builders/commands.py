"""The command `pixlake`, run in this process."""

import json
from typing import Any

from click.testing import CliRunner, Result

from pixlake_cli.main import cli


def run(*arguments: object) -> Result:
    """Run the command; an exception that it does not expect fails the test with its own trace."""
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], prog_name="pixlake")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*arguments: object) -> Any:
    """What the command prints with `--json`; the test fails where the command does."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
