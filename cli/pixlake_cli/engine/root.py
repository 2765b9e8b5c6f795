"""The folder of the template, the state machine, the functions and the demo models that the engine runs.

In a checkout they are the files at its root. A wheel carries copies of them (pyproject.toml), for it installs without a
checkout.
"""

from pathlib import Path

PACKAGED = Path(__file__).parents[1] / "stack"


def find_root() -> Path:
    """The folder that holds template.yaml, statemachine/, functions/ and bundles/."""
    return PACKAGED if PACKAGED.is_dir() else Path(__file__).resolve().parents[3]


ROOT = find_root()
