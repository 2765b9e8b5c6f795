"""ONNX Runtime: a graph that is what its bundle says, run on the cores that the process may use, within limits."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import Output
from pixlake.bundles.weights import NO_WEIGHTS, Weights, find_weights
from pixlake.cores import available_cores
from pixlake.errors import BadBundle, BadRequest, ModelTimeout
from pixlake.inference.devices import start_session
from pixlake.inference.limits import LOAD_SECONDS, Limits, call_within, limit_memory
from pixlake.settings import Device

Feeds = dict[str, NDArray[np.float32] | NDArray[np.int64]]

_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
_ERRORS_ONLY, _FATAL_ONLY = 3, 4
# what its errors say of memory: the arena's limit, and the system's
_NO_MEMORY = ("Available memory of", "Failed to allocate memory", "bad_alloc")

ort.disable_telemetry_events()
ort.set_default_logger_severity(_ERRORS_ONLY)


@dataclass(frozen=True)
class Tensor:
    """What a graph must take under one name: the element type, and the axes after the first, which counts examples.

    An axis of None is of any length."""

    kind: type[np.float32] | type[np.int64]
    axes: tuple[int | None, ...] = ()


class Graph:
    """One ONNX graph with one output of interest. `size` is its bytes as a file, about what it takes in memory."""

    def __init__(
        self,
        data: bytes,
        inputs: Mapping[str, Tensor],
        output: Output,
        *,
        threads: int = 0,
        weights: Weights = NO_WEIGHTS,
        fast_start: bool = False,
        limits: Limits | None = None,
        where: str = "the graph",
    ) -> None:
        """`weights` are the tensors that the graph keeps elsewhere. `fast_start` trades slower runs for a sooner first
        one. BadBundle if the graph does not load or does not take exactly `inputs`, BadRequest where the GPU that
        `limits` ask for does not start; `where` says in errors of runs which graph it is."""
        self._output, self._limits, self._where = output, limits or Limits(), where
        self._memory = limit_memory(self._limits.memory)
        self._answered, self._overran = False, ""
        self.size = len(data) + weights.size
        if data[4:8] == b"ORTM":
            raise BadBundle("it is in ONNX Runtime's own format, which depends on its version; a graph is ONNX")
        try:
            self._session = _load(data, _options(threads, weights, fast_start), self._limits.device)
        except ModelTimeout as error:
            raise ModelTimeout(f"ONNX Runtime takes more than {LOAD_SECONDS:g} s to load the graph") from error
        except BadRequest:
            raise
        except Exception as error:  # its errors have no common base
            raise BadBundle(f"ONNX Runtime does not load the graph: {self._explain(error)}") from error
        # It keeps the whole file to start again on another provider, of which there is none.
        self._session._model_bytes = None
        _check_inputs(inputs, {each.name: each for each in self._session.get_inputs()})
        names = [each.name for each in self._session.get_outputs()]
        if output.tensor not in names:
            raise BadBundle(f"the graph has no output {output.tensor!r}, only {names}")

    def run(self, feeds: Feeds) -> NDArray[np.float64]:
        """The output for a batch, activated: `[n, ...]`. ModelTimeout if it takes too long, at once for a graph that
        has done so instead of ever answering; BadBundle if it fails, or takes too much memory for a single example."""
        if self._overran:
            raise ModelTimeout(self._overran)
        options, count = ort.RunOptions(), len(next(iter(feeds.values())))
        seconds = self._limits.for_run(count)
        try:
            (values,) = call_within(
                seconds,
                lambda: self._session.run([self._output.tensor], feeds, options),
                lambda: setattr(options, "terminate", True),
            )
        except ModelTimeout as error:
            overran = f"{self._where}: it did not answer within {seconds:g} s (MAX_MODEL_SECONDS an example)"
            self._overran = "" if self._answered else overran
            raise ModelTimeout(overran) from error
        except Exception as error:
            if count > 1 and _lacks_memory(error):
                halves = slice(count // 2), slice(count // 2, None)
                return np.concatenate([self.run({name: each[half] for name, each in feeds.items()}) for half in halves])
            fails = f"{self._where}: the graph fails on a batch of its declared inputs: {self._explain(error)}"
            raise BadBundle(fails) from error
        self._answered = True
        return activate(np.asarray(values, dtype=np.float64), self._output.activation)

    def _explain(self, error: Exception) -> str:
        if not _lacks_memory(error):
            return str(error)
        size = f"{self._memory >> 20:,} MB"
        return f"it takes more memory for tensors than the {size} that there are; give it more, or smaller batches"


def _lacks_memory(error: Exception) -> bool:
    return any(each in str(error) for each in _NO_MEMORY)


def load_graph(
    folder: BundleFolder,
    name: str,
    inputs: Mapping[str, Tensor],
    output: Output,
    threads: int = 0,
    *,
    fast_start: bool = False,
    limits: Limits | None = None,
) -> Graph:
    """One graph of a bundle, as in `Graph`; the file of its name and `.data`, where there is one, holds its larger
    tensors. Mapped ones are verified on another core meanwhile."""
    data = folder.read(name)
    weights = find_weights(folder, name, data)
    with ThreadPoolExecutor(max_workers=1) as beside:
        verified = beside.submit(weights.verify)
        where = f"{folder.uri}/{name}"
        try:
            graph = Graph(
                data,
                inputs,
                output,
                threads=threads,
                weights=weights,
                fast_start=fast_start,
                limits=limits,
                where=where,
            )
        except BadBundle as error:
            verified.result()  # damage is the better reason
            raise type(error)(f"{where}: {error}") from error
        verified.result()
    weights.check_same()
    return graph


def _load(data: bytes, options: ort.SessionOptions, device: Device) -> ort.InferenceSession:
    """Raises ModelTimeout, the errors of `start_session`, and errors without a common base."""
    return call_within(
        LOAD_SECONDS,
        lambda: start_session(data, options, device),
        lambda: options.set_load_cancellation_flag(True),
    )


def activate(values: NDArray[np.float64], activation: str) -> NDArray[np.float64]:
    """`values` after an activation over the last axis. `normalize` makes NaN of a vector without a direction."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        match activation:
            case "softmax":
                powers = np.exp(values - values.max(axis=-1, keepdims=True))
                values = powers / powers.sum(axis=-1, keepdims=True)
            case "sigmoid":
                values = 1 / (1 + np.exp(-values))
            case "normalize":
                values = values / np.linalg.norm(values, axis=-1, keepdims=True)
    return values


def _options(threads: int, weights: Weights, fast_start: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Its plan is made for one run at a time: runs side by side hold half as much memory again, and are no faster.
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.use_env_allocators", "1")
    if fast_start:
        # To lay all weights out as the processor's kernels read them takes longer than the first dozen runs gain.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    weights.offer(options)
    return options


def _check_inputs(declared: Mapping[str, Tensor], found: Mapping[str, ort.NodeArg]) -> None:
    if declared.keys() != found.keys():
        raise BadBundle(f"bundle.json declares the inputs {sorted(declared)}, the graph takes {sorted(found)}")
    for name, tensor in declared.items():
        kind, shape = found[name].type, found[name].shape
        wanted = [None, *tensor.axes]
        fits = len(shape) == len(wanted) and not isinstance(shape[0], int)
        fits &= all(not isinstance(axis, int) or axis == want for axis, want in zip(shape, wanted, strict=False))
        if _ONNX_TYPES.get(kind) is not tensor.kind or not fits:
            expected = f"{tensor.kind.__name__} {['n', *tensor.axes]}"
            raise BadBundle(f"the graph's input {name!r} is {kind} {shape}, not {expected} as bundle.json declares")
