"""The workers of one function: warm ones are used again, new ones are started when none is free."""

import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from pixlake.settings import CompactSettings, ExtractSettings, InferenceSettings, PlanSettings, SplitSettings
from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.forks import ForkServer, find_steps
from pixlake_cli.engine.sandbox import Answer, Sandbox, Start, failure, start
from pixlake_cli.engine.template import REGION, Function

WHOLE_MACHINE = "INFERENCE_THREADS"
# MB with which Lambda gives one vCPU
MEMORY_PER_CORE = 1769
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
_SETTINGS = (PlanSettings, ExtractSettings, SplitSettings, InferenceSettings, CompactSettings)
LIMITS = frozenset(
    field.name.upper()
    for kind in _SETTINGS
    for field in fields(kind)
    if isinstance(field.default, int | float) and not field.name.startswith("aws_")
)
"""The settings that are numbers, such as MAX_MODEL_SECONDS: those that the shell sets hold here."""


def environment(function: Function, overrides: Mapping[str, str]) -> dict[str, str]:
    """The template's variables, those of `overrides` that the function has, the limits that the shell sets, and the
    variables that Lambda sets."""
    limits = {key: os.environ[key] for key in LIMITS - overrides.keys() if key in os.environ}
    own = {**function.environment, **{key: overrides[key] for key in overrides if key in function.environment}}
    lambda_sets = {
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
        "TZ": ":UTC",
        # CloudWatch makes metrics of log lines; nobody reads them from a laptop's log
        "POWERTOOLS_METRICS_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join(map(str, _code(function))),
    }
    return {**passed_on(), **own, **limits, **lambda_sets}


def passed_on() -> dict[str, str]:
    """Our own variables that every worker gets."""
    return {key: os.environ[key] for key in PASSED_ON if key in os.environ}


def _code(function: Function) -> list[Path]:
    """The function's folder; for another Python than this, also the layer that its image would hold."""
    return [function.folder, *([function.folder.parents[1] / "layers" / "pixlake"] if function.image else [])]


class Pool:
    """Invokes one function. There are never more workers than invocations that hold cores at one time.

    A function that sets INFERENCE_THREADS uses the cores by itself: it holds all of them, or an equal share of up to
    `WIDEST`, and its environment gives the number. Its memory is then at least what Lambda gives with that many. Any
    other function holds one core.
    """

    WIDEST = 8

    def __init__(
        self,
        function: Function,
        overrides: Mapping[str, str],
        cores: Cores,
        logs: Path,
        forks: ForkServer | None = None,
    ) -> None:
        self.width = 1
        if WHOLE_MACHINE in function.environment:
            self.width = cores.total // -(-cores.total // self.WIDEST)
            function = replace(function, memory=max(function.memory, self.width * MEMORY_PER_CORE))
        self.function = function
        self._environment = environment(function, {**overrides, WHOLE_MACHINE: str(self.width)})
        self._cores = cores
        self._logs = logs
        self._start_process = _starter(function, forks)
        self._lock = threading.Lock()
        self._idle: list[Sandbox] = []
        self._all: list[Sandbox] = []
        self._closed = False

    def prestart(self) -> None:
        """Start a worker ahead of its first invocation, and wait until it is ready or has failed. A function with a
        Python of its own has none: few executions invoke it.
        """
        with self._lock:
            if self._all or self._closed or self.function.image:
                return
            sandbox = self._start()
            self._idle.append(sandbox)
        sandbox.ready.wait()

    def invoke(self, payload: bytes) -> Answer:
        """Run the function on `payload`, as soon as there are cores for it."""
        with self._cores.hold(self.width):
            with self._lock:
                if self._closed:
                    return failure("Runtime.ExitError", "the engine is closing")
                sandbox = self._take()
            try:
                return sandbox.run(payload)
            finally:
                with self._lock:
                    self._idle.append(sandbox)

    def workers(self) -> list[int]:
        """The process ids of the living workers."""
        with self._lock:
            return [sandbox.pid for sandbox in self._all if sandbox.pid and sandbox.alive]

    def close(self) -> None:
        """End all workers; invocations in them fail."""
        with self._lock:
            self._closed = True
            for sandbox in self._all:
                sandbox.kill()

    def _take(self) -> Sandbox:
        while self._idle:
            sandbox = self._idle.pop()
            if sandbox.alive:
                return sandbox
        return self._start()

    def _start(self) -> Sandbox:
        self._all = [sandbox for sandbox in self._all if sandbox.alive]
        # the worker keeps its own handle of the log; ours is closed at once
        log, _ = tempfile.mkstemp(".log", f"{self.function.name}-", self._logs)
        try:
            sandbox = Sandbox(self.function, self._environment, log, self._start_process)
        finally:
            os.close(log)
        self._all.append(sandbox)
        return sandbox


def _starter(function: Function, forks: ForkServer | None) -> Start:
    if forks is None or function.image:
        return start
    imports = find_steps(function)
    return lambda *given: forks.fork(*given, imports=imports)
