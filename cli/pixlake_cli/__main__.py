"""`python -m pixlake_cli`: the command `pixlake`, where only its Python is known."""

from pixlake_cli.main import cli

cli(prog_name="pixlake")
