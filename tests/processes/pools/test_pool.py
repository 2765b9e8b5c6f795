"""A function in its sandbox: what it is given, and every way in which it can end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from pixlake_cli.engine.sandbox import Answer
from tests.builders.pools import MakePool

ECHO = "def handler(event, context): return event"
PID = "import os, time\ndef handler(event, context):\n    time.sleep(event); return os.getpid()"


def content(answer: Answer) -> Any:
    return json.loads(answer.payload)


def test_a_function_answers_with_its_json(make_pool: MakePool) -> None:
    answer = make_pool(ECHO).invoke('{"a": [1, "ä"]}'.encode())
    assert not answer.failed
    assert content(answer) == {"a": [1, "ä"]}


def test_an_exception_is_reported_by_its_class(make_pool: MakePool) -> None:
    answer = make_pool("def handler(event, context): raise KeyError('x')").invoke(b"{}")
    assert answer.failed
    assert content(answer)["errorType"] == "KeyError"


def test_a_worker_gets_the_templates_environment_and_nothing_of_ours(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("SECRET", "mine")
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    pool = make_pool(source, overrides={"LAKE_URI": "file:///lake", "CATALOG_URI": "x"}, LAKE_URI="s3://b", MAX="7")
    found = content(pool.invoke(b"{}"))
    assert (found["LAKE_URI"], found["MAX"]) == ("file:///lake", "7")
    assert not {"AWS_PROFILE", "SECRET", "CATALOG_URI"} & set(found)
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "OneFunction"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"


def test_a_limit_that_the_shell_sets_holds_in_workers(make_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_MODEL_SECONDS", "7")
    monkeypatch.setenv("BATCH_ROWS", "3")
    monkeypatch.setenv("EMBEDDER", "mine")
    monkeypatch.setenv("INFERENCE_THREADS", "99")
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    found = content(make_pool(source, BATCH_ROWS="1024", INFERENCE_THREADS="0").invoke(b"{}"))
    assert (found["MAX_MODEL_SECONDS"], found["BATCH_ROWS"]) == ("7", "3")
    assert "EMBEDDER" not in found
    assert found["INFERENCE_THREADS"] != "99"


def test_an_image_is_the_python_to_run_it_with(make_pool: MakePool, tmp_path: Path) -> None:
    """It finds what the image would hold, though Pixlake is not installed there; and it starts when it is needed."""
    python, started = tmp_path / "python", tmp_path / "started"
    python.write_text(f'#!/bin/sh\ntouch {started}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    pool = make_pool("import sys\ndef handler(event, context): return sys.path", image=str(python))
    pool.prestart()
    assert not started.exists()
    found = content(pool.invoke(b"{}"))
    assert started.exists()
    root = tmp_path.parents[1]
    assert {str(tmp_path), str(root / "layers/pixlake")} <= set(found)
    assert str(root / "models") not in found


def test_the_context_tells_the_remaining_time(make_pool: MakePool) -> None:
    source = "def handler(event, context): return [context.get_remaining_time_in_millis(), context.aws_request_id]"
    left, request = content(make_pool(source, timeout=20).invoke(b"{}"))
    assert 10_000 < left <= 20_000
    assert len(request) == 36


def test_a_worker_is_used_again_and_others_started_only_up_to_the_cores(make_pool: MakePool) -> None:
    pool = make_pool(PID, cores=2)
    assert pool.invoke(b"0").payload == pool.invoke(b"0").payload
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(pool.invoke, [b"0.3"] * 6))
    assert len({answer.payload for answer in answers}) == 2


def test_a_function_of_all_cores_has_one_worker_that_is_told_their_number(make_pool: MakePool) -> None:
    source = "import os\ndef handler(event, context): return [os.getpid(), os.environ['INFERENCE_THREADS']]"
    pool = make_pool(source, cores=4, INFERENCE_THREADS="0")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(pool.invoke, [b"0"] * 4))
    assert {tuple(content(answer))[1] for answer in answers} == {"4"}
    assert len(pool.workers()) == 1


@pytest.mark.parametrize(("cores", "width"), [(1, 1), (2, 2), (8, 8), (9, 4), (12, 6), (16, 8), (64, 8)])
def test_many_cores_are_shared_evenly(make_pool: MakePool, cores: int, width: int) -> None:
    pool = make_pool(ECHO, cores=cores, INFERENCE_THREADS="0")
    assert (pool.width, pool.function.memory) == (width, 1769 * width)


def test_a_worker_past_its_timeout_is_killed(make_pool: MakePool) -> None:
    pool = make_pool(PID, timeout=1)
    answer = pool.invoke(b"60")
    assert content(answer)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in content(answer)["errorMessage"]
    assert not pool.invoke(b"0").failed


def test_a_worker_over_its_memory_is_killed(make_pool: MakePool) -> None:
    source = "import time\ndef handler(event, context):\n    x = bytearray(event << 20); time.sleep(9); return len(x)"
    answer = make_pool(source, memory=150).invoke(b"300")
    assert content(answer)["errorType"] == "Runtime.ExitError"
    assert "signal: killed (memory size 150 MB" in content(answer)["errorMessage"]


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os\ndef handler(event, context): os._exit(3)", "exit status 3"),
        ("import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"),
        ("import os\nos._exit(3)", "exit status 3"),
    ],
)
def test_a_worker_that_exits_fails_its_invocation_at_once(make_pool: MakePool, source: str, how: str) -> None:
    begun = time.monotonic()
    answer = make_pool(source).invoke(b"{}")
    assert answer.failed
    assert content(answer)["errorType"] == "Runtime.ExitError"
    assert content(answer)["errorMessage"].endswith(f"Runtime exited with error: {how}")
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nothing_of_this_name", "Runtime.ImportModuleError"),
        ("def handler(event, context:", "Runtime.UserCodeSyntaxError"),
        ("", "Runtime.HandlerNotFound"),
        ("raise LookupError('no setting')", "LookupError"),
    ],
)
def test_a_function_that_cannot_start_fails_with_the_reason(make_pool: MakePool, source: str, error: str) -> None:
    answer = make_pool(source).invoke(b"{}")
    assert answer.failed
    assert content(answer)["errorType"] == error


def test_a_worker_that_died_while_idle_is_replaced(make_pool: MakePool) -> None:
    pool = make_pool(PID)
    first = content(pool.invoke(b"0"))
    os.kill(first, signal.SIGKILL)
    while first in pool.workers():
        time.sleep(0.01)
    assert content(pool.invoke(b"0")) != first


def test_a_worker_started_ahead_takes_the_first_invocation(make_pool: MakePool) -> None:
    pool = make_pool(PID)
    pool.prestart()
    assert [content(pool.invoke(b"0"))] == pool.workers()


def test_closing_a_pool_ends_running_workers(make_pool: MakePool) -> None:
    pool = make_pool(PID)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(pool.invoke(b"60")))
    thread.start()
    while not pool.workers():
        time.sleep(0.01)
    pool.close()
    thread.join(10)
    assert answers[0].failed
    assert pool.invoke(b"0").failed


@pytest.mark.parametrize("forks", ["ForkServer(passed_on())", "None"])
def test_no_worker_outlives_a_killed_engine(tmp_path: Path, forks: str) -> None:
    (tmp_path / "app.py").write_text(PID)
    source = f"""
import threading, time
from pathlib import Path
from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.forks import ForkServer
from pixlake_cli.engine.pool import Pool, passed_on
from pixlake_cli.engine.template import Function
here = Path({str(tmp_path)!r})
pool = Pool(Function("F", here, "app.handler", 90, 512, {{}}), {{}}, Cores(2), here, {forks})
for _ in range(2):
    threading.Thread(target=pool.invoke, args=(b"60",), daemon=True).start()
while len(pool.workers()) < 2:
    time.sleep(0.05)
time.sleep(0.5)
print(*pool.workers(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in engine.stdout.readline().split()]
        assert len(workers) == 2
        workers += psutil.Process(engine.pid).children()
        engine.kill()
    _, left = psutil.wait_procs(workers, timeout=5)
    assert left == []
