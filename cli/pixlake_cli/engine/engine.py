"""The laptop engine: the parts of the stack on one machine, for the length of a `with` block."""

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pixlake.cores import available_cores
from pixlake.settings import Device
from pixlake_cli.engine import definition, events, template
from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.endpoints import BUCKET, Endpoints
from pixlake_cli.engine.forks import SUPPORTED, ForkServer
from pixlake_cli.engine.interpreter import Interpreter, Outcome
from pixlake_cli.engine.pool import Pool, passed_on
from pixlake_cli.engine.root import ROOT
from pixlake_cli.engine.sandbox import Answer, failure

if TYPE_CHECKING:
    from pixlake_cli.engine.containers import Containers


class Observer(Protocol):
    """Sees each invocation begin and end, on the invocation's own thread."""

    def invoked(self, function: str) -> None: ...

    def answered(self, function: str, answer: Answer) -> None: ...


class Runner(Protocol):
    """Runs one function: in worker processes, or in its container."""

    def prestart(self) -> None: ...

    def invoke(self, payload: bytes) -> Answer: ...

    def workers(self) -> list[int]: ...

    def close(self) -> None: ...


class Engine:
    """Runs executions on the lake at `lake_uri`, one after another, with functions that stay warm in between.

    `parameters` are the template's; `root` is the folder that holds template.yaml and functions/. With `containers` the
    functions run in the containers that `sam build` made, else models run on `device`.
    """

    def __init__(
        self,
        lake_uri: str,
        catalog_uri: str,
        parameters: Mapping[str, str] | None = None,
        root: Path = ROOT,
        cores: int | None = None,
        containers: bool = False,
        device: Device = Device.CPU,
    ) -> None:
        deployment = template.load(root / "template.yaml", parameters or {}, {"LakeBucket": BUCKET})
        self._deployment = deployment
        self._definition = definition.load(deployment.definition, deployment.substitutions)
        self.logs = Path(tempfile.mkdtemp(prefix="pixlake-logs-"))
        self._forks = ForkServer(passed_on()) if SUPPORTED else None
        self._containers: Containers | None = None
        self._runners: Mapping[str, Runner]
        if containers:
            lake = Path(lake_uri.removeprefix("file://"))
            self._containers = _start_containers(root, deployment.functions, lake, self.logs)
            self._runners = self._containers.functions
        else:
            overrides = {"LAKE_URI": lake_uri, "CATALOG_URI": catalog_uri, "DEVICE": device}
            shared = Cores(cores or available_cores())
            self._runners = {
                name: Pool(function, overrides, shared, self.logs, self._forks)
                for name, function in deployment.functions.items()
            }
        self._observer: Observer | None = None
        self._endpoints = Endpoints(lake_uri, self.invoke)
        self._interpreter = Interpreter(deployment.machine, definition.to_json(self._definition), self._endpoints.url)
        self._failed = False

    def __enter__(self) -> "Engine":
        try:
            threading.Thread(target=self._prestart, name="prestart", daemon=True).start()
            self._interpreter.__enter__()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._interpreter.__exit__(*exception)
        self.close()

    def execute(self, name: str, request: Mapping[str, Any], observer: Observer | None = None) -> Outcome:
        """Run the state machine on `request` (a `messages.Ingest`) under the unique name `name`, to its end; a failure
        goes to the targets of the template's rules."""
        self._observer = observer
        outcome = self._interpreter.execute(name, request)
        if outcome.status != "SUCCEEDED":
            self._failed = True
            self._deliver(outcome.event)
        return outcome

    def _deliver(self, event: dict[str, Any]) -> None:
        """Deliver an event as EventBridge does; failures are retried as often as Lambda would, but at once."""
        for name in events.targets(self._deployment.rules, event):
            for _ in range(1 + self._deployment.functions[name].retries):
                if not self.invoke(name, json.dumps(event).encode()).failed:
                    break

    def invoke(self, function: str, payload: bytes) -> Answer:
        """Invoke one function, as the state machine does."""
        runner = self._runners.get(function)
        if runner is None:
            return failure("ResourceNotFoundException", f"template.yaml has no function {function}")
        observer = self._observer
        if observer is not None:
            observer.invoked(function)
        answer = runner.invoke(payload)
        if observer is not None:
            observer.answered(function, answer)
        return answer

    def workers(self) -> dict[str, list[int]]:
        """The process ids of the living workers, by function."""
        return {name: runner.workers() for name, runner in self._runners.items()}

    def states(self) -> dict[str, str]:
        """The state in which each function runs, in the order written; then the targets of rules, by their own
        names."""
        by_rules = {name: name.removesuffix("Function") for rule in self._deployment.rules for name in rule.functions}
        return definition.states_by_function(self._definition) | by_rules

    def close(self) -> None:
        """End all workers. The logs are kept only after a failure."""
        for runner in self._runners.values():
            runner.close()
        if self._forks is not None:
            self._forks.close()
        if self._containers is not None:
            self._containers.close()
        threading.Thread(target=self._endpoints.shutdown, daemon=True).start()
        self._endpoints.server_close()
        if not self._failed:
            shutil.rmtree(self.logs, ignore_errors=True)

    def _prestart(self) -> None:
        """Start one worker of each function, in the order in which a run invokes them, while earlier steps run."""
        for name in definition.functions_in_order(self._definition):
            self._runners[name].prestart()


def _start_containers(root: Path, functions: Mapping[str, template.Function], lake: Path, logs: Path) -> "Containers":
    """Imported here, because containers need the catalog, half a second to import."""
    from pixlake_cli.engine.containers import Containers

    return Containers(root, functions, lake, logs)
