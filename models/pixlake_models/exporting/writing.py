"""Writing bundles: files, their checksums, and `bundle.json` by the structs that the containers read it with."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from pixlake.bundles.folders import BundleFolder, open_folder
from pixlake.bundles.manifest import MANIFEST, Manifest, version
from pixlake.bundles.parsing import encode, parse
from pixlake.errors import BadRequest
from pixlake.lake import check_identifier
from pixlake_models.exporting.weights import split_graphs

_CHUNK = 8 << 20


@dataclass(frozen=True)
class Made:
    """A file that was written for a bundle, which is moved there, with its SHA-256."""

    path: Path
    digest: str


Content = bytes | Path | Made
"""A file's bytes, or where to copy it from, or to move it from."""


class Digesting:
    """Writes to a file, and knows the SHA-256 of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def check_target(target: Path) -> None:
    """BadRequest unless a bundle may be written to the folder `target`: it is new, empty, or a bundle to be replaced,
    and its name is one that a model can have."""
    check_identifier("model", target.name)
    if target.is_dir() and not (target / MANIFEST).exists() and any(target.iterdir()):
        raise BadRequest(f"{target}: the folder holds something else than a bundle; name another one")
    if target.exists() and not target.is_dir():
        raise BadRequest(f"{target}: it is a file, where a bundle is a folder")


def write_bundle(target: Path, manifest: Manifest, files: Mapping[str, Content]) -> str:
    """Put the bundle into the folder `target`, replacing an older one, and return its version.

    `manifest.files` is filled in here, and a large graph's tensors get a file of their own. Raises BadBundle, with
    `target` untouched, if the result would be refused, and BadRequest as `check_target` does.
    """
    check_target(target)
    files = split_graphs(files, manifest.graphs)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        digests = {name: _put(content, folder / name) for name, content in sorted(files.items())}
        data = encode(msgspec.structs.replace(manifest, files=digests))
        parse(data, str(target / MANIFEST))
        (folder / MANIFEST).write_bytes(data)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    return version(data)


def _put(content: Content, target: Path) -> str:
    """Write the file, and say its SHA-256."""
    if isinstance(content, Made):
        shutil.move(content.path, target)
        return content.digest
    if isinstance(content, bytes):
        target.write_bytes(content)
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as source, target.open("wb") as file:
        copy = Digesting(file)
        shutil.copyfileobj(source, copy, _CHUNK)
    return copy.digest


@contextmanager
def trial_bundle(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[BundleFolder]:
    """The bundle in a temporary lake, to be loaded and run as in the containers."""
    with tempfile.TemporaryDirectory() as lake:
        write_bundle(Path(lake) / "models" / manifest.name, manifest, files)
        yield open_folder(f"file://{lake}", manifest.name)
