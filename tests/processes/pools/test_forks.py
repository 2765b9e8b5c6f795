"""The process that workers are forked from; what they do is in `test_pool`, beside that of workers started anew."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from pixlake_cli.engine import template
from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.forks import ForkServer
from pixlake_cli.engine.pool import Pool
from tests.builders.pools import MakePool
from tests.project import ROOT

pytestmark = pytest.mark.parametrize("make_pool", ["forked"], indirect=True)

IDS = "import os\ndef handler(event, context): return [os.getpid(), os.getppid()]"
FILES = "import os\ndef handler(event, context): return os.listdir('/proc/self/fd')"
FOUND = """import sys
FOUND = "pixlake.steps.plan" in sys.modules
from pixlake.steps.plan import plan
def handler(event, context): return FOUND
"""


def ids(pool: Pool) -> tuple[int, int]:
    """A worker's process and the fork server's."""
    worker, server = json.loads(pool.invoke(b"{}").payload)
    return worker, server


def test_workers_are_forked_from_one_process(make_pool: MakePool) -> None:
    (first, server), (second, same) = ids(make_pool(IDS)), ids(make_pool(IDS))
    assert first != second
    assert server == same


def test_a_functions_step_is_imported_before_the_fork(make_pool: MakePool) -> None:
    assert make_pool(FOUND).invoke(b"{}").payload == b"true"


def test_the_server_has_no_other_thread_with_all_functions_forked(
    make_pool: MakePool, fork_server: ForkServer, tmp_path: Path
) -> None:
    deployment = template.load(ROOT / "template.yaml", {}, {"LakeBucket": "lake"})
    pools = [Pool(function, {}, Cores(2), tmp_path, fork_server) for function in deployment.functions.values()]
    for pool in pools:
        pool.prestart()
        assert pool.workers(), pool.function.name
    _, server = ids(make_pool(IDS))
    assert psutil.Process(server).num_threads() == 1
    for pool in pools:
        pool.close()


def test_a_server_that_was_killed_ends_its_workers_and_is_replaced(make_pool: MakePool) -> None:
    pool = make_pool(IDS)
    worker, server = ids(pool)
    found = psutil.Process(worker)
    os.kill(server, signal.SIGKILL)
    assert psutil.wait_procs([found], timeout=10)[1] == []
    while pool.workers():
        pass
    another, new = ids(pool)
    assert another != worker
    assert new != server


def test_a_worker_holds_no_more_files_than_one_that_was_started_anew(make_pool: MakePool, tmp_path: Path) -> None:
    make_pool(FILES).prestart()
    forked = make_pool(FILES)
    anew = Pool(forked.function, {}, Cores(1), tmp_path)
    assert len(json.loads(forked.invoke(b"{}").payload)) == len(json.loads(anew.invoke(b"{}").payload))
    anew.close()
