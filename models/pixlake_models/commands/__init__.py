"""`pixlake models export | compile | train | zero-shot`: a module each, none of which imports torch before it runs."""

COMMANDS: dict[str, str] = {
    "compile": "pixlake_models.commands.compile:compile_model",
    "export": "pixlake_models.commands.export:export",
    "package": "pixlake_models.commands.package:package",
    "train": "pixlake_models.commands.train:train",
    "zero-shot": "pixlake_models.commands.zero_shot:zero_shot",
}
"""Name of the command -> `module:attribute`."""
