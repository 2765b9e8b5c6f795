from collections.abc import Callable
from pathlib import Path

import pytest

from pixlake.tables.text import TextFile, open_text_file


@pytest.fixture
def text_file(tmp_path: Path) -> Callable[[bytes], TextFile]:
    """A function that makes a table file of bytes, its encoding found; the next replaces it."""

    def make(data: bytes) -> TextFile:
        path = tmp_path / "table.txt"
        path.write_bytes(data)
        return open_text_file(f"file://{path}")

    return make
