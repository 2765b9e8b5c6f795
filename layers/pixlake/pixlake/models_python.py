"""The Python that makes models: torch and AutoGluon take gigabytes, so they may have an environment of their own.

Commands that make bundles run in it; `pixlake run` uses it in place of the AutoGluon container.
"""

import importlib.util
import os
import sys
from pathlib import Path

import pixlake
from pixlake.errors import BadRequest

VARIABLE = "PIXLAKE_MODELS_PYTHON"


def has_torch() -> bool:
    """Whether this Python can make models."""
    return importlib.util.find_spec("torch") is not None


def find_models_python() -> Path | None:
    """The one that PIXLAKE_MODELS_PYTHON names, else this one, else that of `make models` in a checkout, if any.

    Raises BadRequest if the variable names none.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise BadRequest(f"{VARIABLE} is {named}, where there is no Python")
        return Path(named)
    if has_torch():
        return Path(sys.executable)
    made = Path(pixlake.__path__[0]).parents[2] / ".venv-models" / "bin" / "python"
    return made if made.exists() else None
