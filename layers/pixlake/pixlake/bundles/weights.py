"""The tensors that a graph keeps in its `.data` file: mapped from there, or in memory.

Mapped, they are used in place, or copied once into the layout of the processor's kernels, and never in memory twice:
350 MB of weights load within 360 MiB, against 710 from bytes in memory. A pushed version's file on this machine is
mapped, for it is never rewritten (docs/bundles.md), and so is a private copy of one in a bucket; other files could
change under a loaded model.

A graph may name any file for its tensors, and ONNX Runtime would open those below the folder that it is given.
"""

import shutil
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pixlake import storage
from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import MANIFEST
from pixlake.errors import BadBundle

if TYPE_CHECKING:
    import onnxruntime as ort

_LOOK_IN = "session.model_external_initializers_file_folder_path"
_NOWHERE = "/dev/null/nowhere"

Identity = tuple[int, ...]
"""A file's device, inode, size and time of change: the same as long as nobody writes into it."""


class Weights(Protocol):
    """The source of a graph's tensors."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def offer(self, options: "ort.SessionOptions") -> None:
        """Let a session with `options` find them, and no other file."""

    def verify(self) -> None:
        """Verify the bytes not verified yet; a session may be made meanwhile. BadBundle if they are damaged."""

    def check_same(self) -> None:
        """After the session is made and the bytes are verified: BadBundle if it may be of another file."""


@dataclass(frozen=True)
class NoWeights:
    """The graph holds its tensors itself. Others are looked for in a folder that cannot exist."""

    size: int = 0

    def offer(self, options: "ort.SessionOptions") -> None:
        options.add_session_config_entry(_LOOK_IN, _NOWHERE)

    def verify(self) -> None:
        """The graph's own checksum covers them."""

    def check_same(self) -> None:
        """There is no file."""


NO_WEIGHTS = NoWeights()


@dataclass(frozen=True)
class WeightsInMemory:
    """The verified bytes of the file `name`."""

    name: str
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    def offer(self, options: "ort.SessionOptions") -> None:
        options.add_session_config_entry(_LOOK_IN, _NOWHERE)
        options.add_external_initializers_from_files_in_memory([self.name], [self.data], [self.size])

    def verify(self) -> None:
        """They were when they were read."""

    def check_same(self) -> None:
        """Only this process has them."""


@dataclass(frozen=True)
class MappedWeights:
    """The file `name` of a bundle on this machine, for a graph that names no other; ONNX Runtime refuses those
    elsewhere. `identity` is the file's when it was found.

    A session may be made before they are verified, for they are only numbers: their offsets and types are in the
    graph."""

    bundle: BundleFolder
    name: str
    path: Path
    identity: Identity

    @property
    def size(self) -> int:
        return self.bundle.sizes[self.name]

    def offer(self, options: "ort.SessionOptions") -> None:
        options.add_session_config_entry(_LOOK_IN, str(self.path.parent))

    def verify(self) -> None:
        self.bundle.verify([self.name])

    def check_same(self) -> None:
        """A push replaces a damaged file: the session may have loaded one file and the checksum be the other's."""
        if _identify(self.path) != self.identity:
            raise BadBundle(f"{self.bundle.uri}/{self.name}: it was replaced while it was loaded; run again")


@dataclass(frozen=True)
class FetchedWeights:
    """A private copy of the file `name` in the folder `home`, verified as it was written. A session maps it when it is
    made; then the copy goes, and its disk space with the session."""

    name: str
    home: Path
    size: int

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.home, ignore_errors=True)

    def offer(self, options: "ort.SessionOptions") -> None:
        options.add_session_config_entry(_LOOK_IN, str(self.home))

    def verify(self) -> None:
        """They were when they were fetched."""

    def check_same(self) -> None:
        """Nobody else writes there."""


def find_weights(folder: BundleFolder, name: str, graph: bytes) -> Weights:
    """The tensors of the graph in the file `name`, whose bytes are `graph`; BadBundle if they are found damaged."""
    file = f"{name}.data"
    if file not in folder.manifest.files:
        return NoWeights()
    home = storage.local_path(folder.uri)
    if _names_others(folder, file, graph) or (home is not None and not folder.pushed):
        return WeightsInMemory(file, folder.read(file))
    if home is None:
        return _fetch(folder, file)
    return MappedWeights(folder, file, home / file, _identify(home / file))


def _fetch(folder: BundleFolder, file: str) -> Weights:
    """A copy on this machine's disk, or in memory where that has no room."""
    home = Path(tempfile.mkdtemp(prefix="pixlake-weights-"))
    fetched = FetchedWeights(file, home, folder.sizes[file])
    try:
        with (home / file).open("wb") as copy:
            for chunk in folder.stream(file):
                copy.write(chunk)
    except OSError:
        return WeightsInMemory(file, folder.read(file))
    return fetched


def _identify(path: Path) -> Identity:
    """Empty for a missing file: it has been deleted since."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _names_others(folder: BundleFolder, file: str, graph: bytes) -> bool:
    """Whether the graph may refer to another file of the bundle, perhaps unverified: protobuf stores text verbatim, so
    a graph refers to no name that its bytes lack. Some file systems ignore case."""
    others = {MANIFEST, *folder.manifest.files} - {file}
    rest = graph.lower().split(file.lower().encode())
    return any(other.lower().encode() in part for other in others for part in rest)
