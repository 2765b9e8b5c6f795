"""What a model may take: a graph is a program that anybody may have written.

Its time is watched from outside. ONNX Runtime ends a run between two operators when it is asked to; an operator that
does not end is left behind in its thread, and whoever waited for it goes on.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import TypeVar

import onnxruntime as ort

from pixlake.errors import ModelTimeout
from pixlake.inference.memory import divide
from pixlake.limited import half_of_the_machine
from pixlake.settings import Device, InferenceSettings

T = TypeVar("T")

LOAD_SECONDS = 300.0
"""For ONNX Runtime to load one graph, once its bytes are there."""
# From the request to stop until nobody waits any longer.
_GRACE = 5.0


@dataclass(frozen=True)
class Limits:
    """`seconds` for one example, by the clock; a run has one example's more. `memory`: bytes of all models' tensors in
    the machine's memory. `device`: where graphs run."""

    seconds: float = 20.0
    memory: int = field(default_factory=half_of_the_machine)
    device: Device = Device.CPU

    def for_run(self, examples: int) -> float:
        """Seconds."""
        return self.seconds * (examples + 1)


def limits_of(settings: InferenceSettings) -> Limits:
    """Those of a function, by the memory that it has."""
    return Limits(settings.max_model_seconds, divide(settings).arena, settings.device)


# The arena is the process's, and so is its limit.
_limit: list[int] = []
_limiting = threading.Lock()


def call_within(seconds: float, call: Callable[[], T], stop: Callable[[], object]) -> T:
    """What `call` returns or raises. ModelTimeout after `seconds`, when it was asked to `stop`."""
    called: Future[T] = Future()
    # a daemon: the process ends without it
    threading.Thread(target=_settle, args=(called, call), name="model", daemon=True).start()
    if not wait([called], seconds).done:
        stop()
        wait([called], _GRACE)
        raise ModelTimeout
    return called.result()


def _settle(called: Future[T], call: Callable[[], T]) -> None:
    try:
        called.set_result(call())
    except BaseException as error:
        called.set_exception(error)


def limit_memory(size: int) -> int:
    """Have all sessions of this process take tensors from one arena of so many bytes. The first limit stays; returns
    the one that holds."""
    with _limiting:
        if not _limit:
            info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
            ort.create_and_register_allocator(info, ort.OrtArenaCfg({"max_mem": size}))
            _limit.append(size)
        return _limit[0]
