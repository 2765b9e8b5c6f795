"""A model's vectors of images, and what they took, measured in a process of its own: its memory is the model's, and a
graph that takes too much of anything ends only that process."""

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from pixlake import storage
from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.concurrency import map_bounded
from pixlake.cores import available_cores
from pixlake.errors import BadBundle, BadImage, ModelTimeout
from pixlake.images.decoders import Decoders, Limits
from pixlake.inference import limits
from pixlake.inference.batches import grouped
from pixlake.inference.embedder import Embedder
from pixlake.limited import answer_limited, half_of_the_machine, run_limited
from pixlake.settings import Device

SECONDS = 3_600.0
_AT_ONCE = 16
_KIB = 1 << (0 if sys.platform == "darwin" else 10)

Vectors = NDArray[np.float32]


class Asked(msgspec.Struct, frozen=True):
    """The bundle's folder, the file that lists the images, and where the model runs."""

    uri: str
    listing: str
    device: Device


class Measured(msgspec.Struct, frozen=True):
    """`vectors` are float32 `[n, dimensions]`, NaN for images that cannot be used. Rates are images a second, decoding
    included: on all cores of the machine, and of a core's own time, None on a GPU. `memory` is the peak in bytes,
    `load` seconds."""

    dimensions: int
    rate: float
    core_rate: float | None
    memory: int
    load: float
    data: bytes

    @property
    def vectors(self) -> Vectors:
        return np.frombuffer(self.data, dtype=np.float32).reshape(-1, self.dimensions)


def measure(folder: BundleFolder, images: Sequence[str], device: Device = Device.CPU) -> Measured:
    """BadBundle for a model that fails or takes more than half of the machine's memory, ModelTimeout after an hour."""
    with TemporaryFile() as output, NamedTemporaryFile(suffix=".json") as listing:
        listing.write(msgspec.json.encode(list(images)))
        listing.flush()
        request = msgspec.json.encode(Asked(folder.uri, listing.name, device)).decode()
        try:
            run_limited(__name__, request, output, memory=half_of_the_machine(), seconds=SECONDS)
        except TimeoutError as error:
            raise ModelTimeout(
                f"{folder.uri}: it takes more than {SECONDS:g} s; give it fewer images (--most)"
            ) from error
        except MemoryError as error:
            raise BadBundle(f"{folder.uri}: it needs more than half of this machine's memory, or crashed") from error
        output.seek(0)
        return msgspec.json.decode(output.read(), type=Measured)


def _embed(folder: BundleFolder, images: Sequence[str], device: Device) -> Measured:
    begun = time.perf_counter()
    embedder, decoders = Embedder(folder, limits=limits.Limits(device=device)), Decoders(Limits())
    embedder.load_images()
    load = time.perf_counter() - begun

    def read(uri: str) -> Vectors | None:
        try:
            return decoders.load(storage.read(uri), embedder.preprocessing).tensor
        except BadImage:
            return None

    # the first lays out memory, and starts the decoders
    _answer(embedder, [read(images[0])])
    begun, spent = time.perf_counter(), _core_seconds()
    groups = grouped(map_bounded(read, images, available_cores(), in_flight=_AT_ONCE), _AT_ONCE)
    vectors = np.concatenate([_answer(embedder, group) for group in groups])
    took, spent = time.perf_counter() - begun, _core_seconds() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    count = len(images)
    core_rate = count / spent if device is Device.CPU else None
    return Measured(embedder.dimensions, count / took, core_rate, peak, load, vectors.tobytes())


def _answer(embedder: Embedder, tensors: Sequence[Vectors | None]) -> Vectors:
    rows = np.full((len(tensors), embedder.dimensions), np.nan, dtype=np.float32)
    places = [place for place, each in enumerate(tensors) if each is not None]
    rows[places] = embedder.embed_tensors([each for each in tensors if each is not None])
    return rows


def _core_seconds() -> float:
    """Of this process, and of its decoders, each of which waits for the next image."""
    return time.process_time() + sum(_child_seconds())


def _child_seconds() -> list[float]:
    import psutil

    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        found.append(times.user + times.system)
    return found


def _respond(request: str) -> None:
    asked = msgspec.json.decode(request, type=Asked)
    images = msgspec.json.decode(Path(asked.listing).read_bytes(), type=list[str])
    sys.stdout.write(msgspec.json.encode(_embed(read_folder(asked.uri), images, asked.device)).decode())


if __name__ == "__main__":
    sys.exit(answer_limited(_respond))
