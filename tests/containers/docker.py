"""Docker's and SAM's commands, and the names of what the functions meet."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.project import ROOT

# As in the upload_uri of events/*.json.
UPLOADS, LAKE = "pixlake-uploads", "pixlake-lake"
Invoke = Callable[[str, dict[str, Any]], Any]


def command(*words: str | Path, env: dict[str, str] | None = None) -> str:
    """What a command prints; its errors, too, where it fails."""
    done = subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
