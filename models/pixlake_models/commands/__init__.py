"""`pixlake models export | compile | train | zero-shot`: a module each, none of which imports torch before it runs."""

COMMANDS: dict[str, str] = {}
"""Name of the command -> `module:attribute`."""
