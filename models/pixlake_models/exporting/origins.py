"""Where weights come from, as a bundle says it: the file with its SHA-256, and the licence."""

import hashlib
from pathlib import Path

UNKNOWN_LICENCE = "unknown: ask where the weights come from, and say it by --license"


def describe_file(path: Path) -> str:
    """Name and digest."""
    with path.open("rb") as file:
        return f"the file {path.name}, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
