"""A worker's memory, divided: images read, images being decoded, tensors and models together fit into what it has.

What a stranger's images may take is left when the operator's models have theirs (docs/adr/0020).
"""

from dataclasses import dataclass
from pathlib import Path

from pixlake.cores import available_cores
from pixlake.images.decoders import DECODER_BYTES
from pixlake.limited import half_of_the_machine
from pixlake.settings import InferenceSettings

CGROUP = Path("/sys/fs/cgroup/memory.max")
# Python with all that is imported, the nursery, rows and vectors; beside them the decoders that wait
_PROGRAM = 192 << 20
# Weights as the processor's kernels read them, beside the file's small parts
_LAID_OUT = 1.1


@dataclass(frozen=True)
class Shares:
    """Bytes of a worker's memory. `ahead`: encoded images that are read ahead. `alone`: one that is read beside them,
    in the place of a broken one. `decoding`: all decoders' together, encoded bytes and pixels. `tensors`: those of
    examples that are ready or in inference. `arena`: what ONNX Runtime makes of them. `weights`: the loaded models.
    `program`: all else."""

    ahead: int
    alone: int
    decoding: int
    tensors: int
    arena: int
    weights: int
    program: int

    @property
    def total(self) -> int:
        """Of all."""
        return self.program + self.ahead + self.alone + self.decoding + self.tensors + self.arena + self.weights


def memory_of(settings: InferenceSettings, cgroup: Path = CGROUP) -> int:
    """Bytes that a worker may take: the function's, or a container's, else half of the machine's."""
    if settings.aws_lambda_function_memory_size:
        return settings.aws_lambda_function_memory_size << 20
    try:
        return min(int(cgroup.read_text()), half_of_the_machine())
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return half_of_the_machine()


def divide(settings: InferenceSettings, model_bytes: int = 0) -> Shares:
    """A quarter for inference; what the loaded models of `model_bytes` leave for images, a third of it encoded and the
    rest for decoding them, but at least an eighth of all, whatever the models take."""
    program = _PROGRAM + (settings.inference_threads or available_cores()) * DECODER_BYTES
    room = max(memory_of(settings) - program, 0)
    inference, weights = room // 4, int(model_bytes * _LAID_OUT)
    images = max(room - inference - weights, room // 8)
    encoded = min(images // 6, max(settings.read_ahead_bytes, settings.max_image_bytes))
    return Shares(
        ahead=min(encoded, settings.read_ahead_bytes),
        alone=min(encoded, settings.max_image_bytes),
        decoding=images - 2 * encoded,
        tensors=inference // 4,
        arena=inference - inference // 4,
        weights=weights,
        program=program,
    )


@dataclass(frozen=True)
class Widths:
    """How many examples are ready ahead of inference, how many are inferred together, and in how many threads."""

    ahead: int
    group: int
    threads: int


def widths(settings: InferenceSettings, shares: Shares, example_bytes: int, threads: int) -> Widths:
    """As the settings say, or fewer where tensors of `example_bytes` are too large: those ahead, and those of each
    group at work or waiting, twice, for a graph takes them in one piece."""
    fit = shares.tensors // max(example_bytes, 1) // 3
    ahead, group = 2 * settings.inference_batch, settings.inference_batch // threads
    return Widths(max(1, min(ahead, fit)), max(1, min(group, fit // (threads + 1))), threads)
