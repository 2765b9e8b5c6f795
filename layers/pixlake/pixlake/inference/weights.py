"""The tensors that a graph keeps in its `.data` file: mapped from there, or in memory.

Mapped, they are read once, to where the processor's kernels want them, and never lie in memory beside the copy that is
used: 350 MB of weights load within 360 MiB, where bytes in memory make it 710. Only a pushed version's file on this
machine is mapped, for nobody writes into one (docs/bundles.md); other files could change below the model's feet.

A graph may name any file for its tensors, and ONNX Runtime would open those below the folder that it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import onnxruntime as ort

from pixlake import storage
from pixlake.inference.folders import BundleFolder
from pixlake.inference.manifest import MANIFEST

_LOOK_IN = "session.model_external_initializers_file_folder_path"
_NOWHERE = "/dev/null/nowhere"


class Weights(Protocol):
    """What a graph takes its tensors from."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def unverified(self) -> Sequence[str]:
        """The files whose checksums are still to be compared before the graph is used."""

    def offer(self, options: ort.SessionOptions) -> None:
        """Let a session with `options` find them, and no other file."""


@dataclass(frozen=True)
class NoWeights:
    """The graph holds its tensors itself. Others are looked for where none can ever be."""

    size: int = 0
    unverified: Sequence[str] = ()

    def offer(self, options: ort.SessionOptions) -> None:
        options.add_session_config_entry(_LOOK_IN, _NOWHERE)


NO_WEIGHTS = NoWeights()


@dataclass(frozen=True)
class WeightsInMemory:
    """The verified bytes of the file `name`."""

    name: str
    data: bytes = field(repr=False)
    unverified: Sequence[str] = ()

    @property
    def size(self) -> int:
        return len(self.data)

    def offer(self, options: ort.SessionOptions) -> None:
        options.add_session_config_entry(_LOOK_IN, _NOWHERE)
        options.add_external_initializers_from_files_in_memory([self.name], [self.data], [self.size])


@dataclass(frozen=True)
class MappedWeights:
    """A file in `folder`, for a graph that names no other file there; ONNX Runtime refuses those elsewhere.

    A session may be made of them before they are verified, for they are numbers, of which only copies are made: where
    they lie, and as what, is in the graph."""

    folder: Path
    size: int
    unverified: Sequence[str]

    def offer(self, options: ort.SessionOptions) -> None:
        options.add_session_config_entry(_LOOK_IN, str(self.folder))


def find_weights(folder: BundleFolder, name: str, graph: bytes) -> Weights:
    """The tensors of the graph in the file `name`, whose bytes are `graph`; BadBundle if they are found damaged."""
    file = f"{name}.data"
    if file not in folder.manifest.files:
        return NoWeights()
    path = storage.local_path(folder.uri)
    if path is None or not folder.pushed or _names_others(folder, file, graph):
        return WeightsInMemory(file, folder.read(file))
    return MappedWeights(path, folder.sizes[file], (file,))


def _names_others(folder: BundleFolder, file: str, graph: bytes) -> bool:
    """Whether the graph could mean another file of the bundle, which may be unverified yet: protobuf keeps text as it
    is, so a name that is not among a graph's bytes is not in it. Some file systems ignore case."""
    others = {MANIFEST, *folder.manifest.files} - {file}
    rest = graph.lower().split(file.lower().encode())
    return any(other.lower().encode() in part for other in others for part in rest)
