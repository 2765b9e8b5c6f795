"""The tensors that a graph keeps in its `.data` file: mapped from there, or in memory.

Mapped, they are used where they lie, or copied once to where the processor's kernels want them, and never in memory
twice: 350 MB of weights load within 360 MiB, where bytes in memory make it 710. Only a pushed version's file on this
machine is mapped, for nobody writes into one (docs/bundles.md); other files could change below the model's feet.

A graph may name any file for its tensors, and ONNX Runtime would open those below the folder that it is given.
"""

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
"""Device, inode, size and time of change: a file's, as long as nobody writes into it."""


class Weights(Protocol):
    """What a graph takes its tensors from."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def offer(self, options: "ort.SessionOptions") -> None:
        """Let a session with `options` find them, and no other file."""

    def verify(self) -> None:
        """Compare what was not compared yet; a session may be made meanwhile. BadBundle if it is damaged."""

    def check_same(self) -> None:
        """Once the session is made, and all is verified: BadBundle if it may have been made of another file."""


@dataclass(frozen=True)
class NoWeights:
    """The graph holds its tensors itself. Others are looked for where none can ever be."""

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
        """They are."""

    def check_same(self) -> None:
        """No one else has them."""


@dataclass(frozen=True)
class MappedWeights:
    """The file `name` of a bundle on this machine, for a graph that names no other; ONNX Runtime refuses those
    elsewhere. `identity` is the file's, as it was found.

    A session may be made before they are verified, for they are numbers alone: where they lie, and as what, is in the
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
        """A push replaces a damaged file: the session may have loaded the one, and the checksum be the other's."""
        if _identify(self.path) != self.identity:
            raise BadBundle(f"{self.bundle.uri}/{self.name}: it was replaced while it was loaded; run again")


def find_weights(folder: BundleFolder, name: str, graph: bytes) -> Weights:
    """The tensors of the graph in the file `name`, whose bytes are `graph`; BadBundle if they are found damaged."""
    file = f"{name}.data"
    if file not in folder.manifest.files:
        return NoWeights()
    home = storage.local_path(folder.uri)
    if home is None or not folder.pushed or _names_others(folder, file, graph):
        return WeightsInMemory(file, folder.read(file))
    return MappedWeights(folder, file, home / file, _identify(home / file))


def _identify(path: Path) -> Identity:
    """Of a missing file none: it has been deleted since."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _names_others(folder: BundleFolder, file: str, graph: bytes) -> bool:
    """Whether the graph could mean another file of the bundle, which may be unverified yet: protobuf keeps text as it
    is, so a name that is not among a graph's bytes is not in it. Some file systems ignore case."""
    others = {MANIFEST, *folder.manifest.files} - {file}
    rest = graph.lower().split(file.lower().encode())
    return any(other.lower().encode() in part for other in others for part in rest)
