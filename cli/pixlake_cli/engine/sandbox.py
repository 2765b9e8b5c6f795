"""One worker process and the Runtime API that it polls: what AWS calls an execution environment.

It runs one invocation at a time and stays warm between them. A worker that exits, or exceeds its timeout or its memory,
fails the invocation under the error name that Lambda gives, for the state machine's retries go by these names.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Protocol

import psutil

from pixlake_cli.engine.template import Function

LOOK_SECONDS = 0.5
WORKER = Path(__file__).with_name("worker.py")


class Process(Protocol):
    """A worker, as `subprocess.Popen` shows it; another thread waits for its end."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...

    def kill(self) -> None: ...


Start = Callable[[Function, Mapping[str, str], int, int], Process]
"""Starts a worker for a function, with this environment, standard input and log."""


def start(function: Function, environment: Mapping[str, str], stdin: int, log: int) -> Process:
    """A worker in a new Python: this one, or the function's own."""
    return subprocess.Popen(
        [function.image or sys.executable, "-P", str(WORKER), function.handler],
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=function.folder,
        env=environment,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Answer:
    """The result of an invocation: the function's JSON, or with `failed` its error as JSON."""

    payload: bytes
    failed: bool = False


def failure(error: str, message: str) -> Answer:
    """An error that Lambda reports in the function's place."""
    return Answer(json.dumps({"errorType": error, "errorMessage": message}).encode(), failed=True)


@dataclass(frozen=True)
class _Invocation:
    id: str
    payload: bytes
    deadline_ms: int
    answer: Future[Answer] = field(default_factory=Future)


class Sandbox:
    """Runs from construction, and is `alive` until its process ends."""

    def __init__(self, function: Function, environment: Mapping[str, str], log: int, start: Start = start) -> None:
        self.function = function
        self.ready = threading.Event()
        self._mailbox: queue.SimpleQueue[_Invocation | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current: _Invocation | None = None
        self._init_error: Answer | None = None
        self._api = _RuntimeApi(self)
        api = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}"}
        stdin, self._lifeline = os.pipe()
        try:
            self._process = start(function, {**environment, **api}, stdin, log)
        finally:
            os.close(stdin)
        for target in (self._api.serve_forever, self._watch):
            threading.Thread(target=target, name=function.name, daemon=True).start()

    @property
    def pid(self) -> int:
        """0 until it begins."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, payload: bytes) -> Answer:
        """Hand the payload to the worker and wait for its answer, its end or its timeout."""
        timeout = self.function.timeout
        deadline = time.time() + timeout
        invocation = _Invocation(str(uuid.uuid4()), payload, int(deadline * 1000))
        with self._lock:
            self._current = invocation
            if not self.alive:
                self._settle(self._exit_error(invocation))
        self._mailbox.put(invocation)
        while True:
            left = deadline - time.time()
            if left <= 0:
                text = f"RequestId: {invocation.id} Error: Task timed out after {timeout:.2f} seconds"
                self._end(failure("Sandbox.Timedout", text))
            if (used := self._memory()) > self.function.memory:
                size = f"memory size {self.function.memory} MB, used {used} MB"
                text = f"RequestId: {invocation.id} Error: Runtime exited with error: signal: killed ({size})"
                self._end(failure("Runtime.ExitError", text))
            try:
                return invocation.answer.result(timeout=max(0.0, min(left, LOOK_SECONDS)))
            except TimeoutError:
                continue

    def kill(self) -> None:
        """End the process at once; an invocation in it fails with Runtime.ExitError."""
        self._process.kill()

    def take(self) -> _Invocation | None:
        """The worker asks for work: wait for the next invocation, or None when the process has ended."""
        self.ready.set()
        return self._mailbox.get()

    def answered(self, request: str, answer: Answer) -> None:
        """The worker answers invocation `request`."""
        with self._lock:
            if self._current is not None and self._current.id == request:
                self._settle(answer)

    def failed_to_start(self, answer: Answer) -> None:
        """The worker could not import its handler and is about to exit."""
        self._init_error = answer

    def _end(self, answer: Answer) -> None:
        with self._lock:
            self._settle(answer)
        self.kill()
        # until it is gone it would count as warm
        self._process.wait()

    def _settle(self, answer: Answer) -> None:
        """Give the current invocation its answer, once; the lock is held."""
        if self._current is not None:
            self._current.answer.set_result(answer)
            self._current = None

    def _memory(self) -> int:
        """MiB in use, without the pages that are only mapped from files or shared, as Lambda counts."""
        try:
            memory = psutil.Process(self.pid).memory_info()
        except psutil.Error:
            return 0
        return int(memory.rss - getattr(memory, "shared", 0)) >> 20

    def _watch(self) -> None:
        self._process.wait()
        os.close(self._lifeline)
        self.ready.set()
        with self._lock:
            if self._current is not None:
                self._settle(self._exit_error(self._current))
        self._mailbox.put(None)
        self._api.shutdown()
        self._api.server_close()

    def _exit_error(self, invocation: _Invocation) -> Answer:
        if self._init_error is not None:
            return self._init_error
        code = self._process.wait()
        how = f"signal: {-code}" if code < 0 else f"exit status {code}"
        how = "signal: killed" if code == -9 else how
        return failure("Runtime.ExitError", f"RequestId: {invocation.id} Error: Runtime exited with error: {how}")


class _RuntimeApi(HTTPServer):
    """The calls of the Lambda Runtime API (2018-06-01). A worker asks one thing at a time, so one thread serves it."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeHandler)
        self.sandbox = sandbox

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the connection that a killed worker breaks: `_watch` sees its exit."""


class _RuntimeHandler(BaseHTTPRequestHandler):
    server: _RuntimeApi

    def do_GET(self) -> None:
        invocation = self.server.sandbox.take()
        if invocation is None:
            self.send_error(410)
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.sandbox.function.arn,
        }
        self._reply(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        *_, request, last = self.path.split("/")
        # accepted before it is passed on: the answer may end this very worker
        self._reply(202, b"{}", {})
        if request == "init":
            self.server.sandbox.failed_to_start(Answer(body, failed=True))
        else:
            self.server.sandbox.answered(request, Answer(body, failed=last == "error"))

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the engine shows progress itself."""
