"""A bundle that somebody made to do harm. Each must end in BadBundle, before any harm is done."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixlake.bundles.manifest import version
from pixlake.errors import BadBundle
from pixlake.inference.loaded import load_bundle
from tests.builders.tiny import BundleLake


class Victim:
    """Loads what the attacker left in its lake under `models/tiny/`."""

    def __init__(self, lake: BundleLake) -> None:
        self.lake = lake
        lake.embedder()
        self.folder = lake.folder / "models" / "tiny"

    def rewrite(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what `bundle.json` says."""
        document = json.loads((self.folder / "bundle.json").read_text())
        change(document)
        (self.folder / "bundle.json").write_text(json.dumps(document))

    def replace(self, name: str, data: bytes) -> None:
        """Change a file, and its checksum with it."""
        (self.folder / name).write_bytes(data)
        self.rewrite(lambda document: document["files"].update({name: hashlib.sha256(data).hexdigest()}))

    def push(self) -> None:
        """Move the files to where `models push` would have put them; the graph's weights are mapped from there."""
        document = (self.folder / "bundle.json").read_bytes()
        pushed = self.folder / version(document)
        pushed.mkdir()
        for each in filter(Path.is_file, list(self.folder.iterdir())):
            each.rename(pushed / each.name)
        (self.folder / "bundle.json").write_bytes(document)

    def refuses(self) -> str:
        with pytest.raises(BadBundle) as caught:
            load_bundle(self.lake.uri, "tiny", 1)
        assert "models/tiny" in str(caught.value), "it says where"
        return str(caught.value)
