"""Uploads to one experiment while processes are killed and requests spoiled: in the end exactly the right rows.

Each upload is one `python -m benchmarks.chaos_run`, the laptop's engine on a lake in a real S3 (versitygw) with the
tables in MiniStack's Glue, both behind a proxy that answers some requests with 503 or 429, resets, stalls and cuts
them, or says that another commit came first. Meanwhile engines, workers and decoders are killed (SIGKILL). A command
that fails or dies is given again, and what an execution lost is retried, as a person would do it. Then the tables are
compared with a dictionary; all files are aged by three days, `pixlake maintain` runs, and no file may be left that no
table names.

    python -m benchmarks.chaos                              # two minutes
    python -m benchmarks.chaos --uploads 50 --at-once 8     # as in docs/benchmarks.md
"""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_checks import LAKE, age, compare, count_outdated, maintain, orphans
from benchmarks.chaos_servers import UPLOADS, Servers
from benchmarks.chaos_uploads import EXPERIMENT, Upload, expected
from pixlake_cli.engine.root import ROOT

MOST_ATTEMPTS = 40


@dataclass
class Chaos:
    """The uploads' executions, those that run now by process, and what became of them."""

    environment: dict[str, str]
    kill_seconds: float
    seed: int
    running: set[psutil.Process] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def bring(self, upload: Upload) -> None:
        """Give its command until it succeeds, then that of a retry until nothing is lost."""
        request = {
            "upload_uri": f"{UPLOADS}/{upload.name}",
            "experiment_id": EXPERIMENT,
            "uploaded_at": upload.uploaded_at.isoformat(),
        }
        name, lost = self._until_done(request)
        while lost:
            _, lost = self._until_done({"retry": name})

    def _until_done(self, request: dict[str, str]) -> tuple[str, bool]:
        for _ in range(MOST_ATTEMPTS):
            name = f"run-{next(self.numbers):04d}"
            end = self._run(name, request)
            kind = "retry" if "retry" in request else "upload"
            self.ends[f"{kind} {end['status']}"] += 1
            if end["status"] == "SUCCEEDED":
                return name, end["lost"]
            if "error" in end:
                self.failures.append(f"{name}: {end['error']}: {end['cause'][:300]}")
        raise click.ClickException(f"{request} did not succeed in {MOST_ATTEMPTS} attempts: {self.failures[-5:]}")

    def _run(self, name: str, request: dict[str, str]) -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.chaos_run", LAKE.uri, name, json.dumps(request)]
        process = psutil.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.running.add(process)
        output, errors = process.communicate()
        self.running.discard(process)
        if process.returncode == 0:
            answer: dict[str, Any] = json.loads(output.splitlines()[-1])
            return answer
        if process.returncode > 0:
            self.failures.append(f"{name} ended by {process.returncode}: {errors.decode()[-300:]}")
        return {"status": "killed" if process.returncode < 0 else "not started"}

    def figures(self) -> dict[str, int]:
        return {f"executions, {end}": count for end, count in sorted(self.ends.items())} | {
            f"killed: {kind}": count for kind, count in sorted(self.killed.items())
        }

    @contextmanager
    def killing(self) -> Iterator[None]:
        """Meanwhile a process of the executions is killed every so often, an engine every fourth time."""
        stop = threading.Event()
        chance = random.Random(self.seed)

        def kill() -> None:
            while not stop.wait(chance.expovariate(1 / self.kill_seconds)):
                with suppress(psutil.Error, IndexError):
                    engine = chance.choice(list(self.running))
                    below = engine.children(recursive=True)
                    victim = engine if chance.random() < 0.25 else chance.choice(below)
                    victim.kill()
                    self.killed["engine" if victim == engine else "process below one"] += 1

        thread = threading.Thread(target=kill, daemon=True)
        if self.kill_seconds:
            thread.start()
        yield
        stop.set()
        if self.kill_seconds:
            thread.join()


@click.command()
@click.option("--uploads", default=8, show_default=True, help="Of 30 rows each.")
@click.option("--at-once", default=3, show_default=True, help="Executions at one time, each in a process of its own.")
@click.option("--percent", default=5.0, show_default=True, help="Requests that are spoiled.")
@click.option("--kill-seconds", default=4.0, show_default=True, help="Between two kills, on average; 0 kills nothing.")
@click.option("--stall-seconds", default=5.0, show_default=True, help="That a stalled request waits at most.")
@click.option("--seed", default=0, show_default=True)
def main(uploads: int, at_once: int, percent: float, kill_seconds: float, stall_seconds: float, seed: int) -> None:
    given = [Upload(number) for number in range(uploads)]
    right = expected(given)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary, Servers(Path(temporary)) as servers:
        servers.prepare(given)
        servers.spoil(percent / 100, stall_seconds, seed)
        chaos = Chaos(dict(os.environ), kill_seconds, seed)
        begun = time.monotonic()
        with chaos.killing(), ThreadPoolExecutor(at_once) as pool:
            list(pool.map(chaos.bring, given))
        seconds = time.monotonic() - begun
        with servers.as_they_are():
            wrong = compare(right)
            outdated = count_outdated()
            age(servers.objects)
            before = orphans()
        maintained = maintain()
        with servers.as_they_are():
            wrong += [f"after maintenance: {each}" for each in compare(right)]
            after = orphans()
    figures = {**chaos.figures(), **servers.figures(), **{f"rows of {name}": len(it) for name, it in right.items()}}
    figures |= {"rejects of what came in later": outdated, "files that no table names": len(before)}
    show({**figures, "the same after maintenance": len(after)}, f"{uploads} uploads in {seconds:.0f} seconds")
    for line in (maintained, *chaos.failures):
        click.echo(line)
    if wrong or after:
        raise click.ClickException("\n".join([*wrong, *after]))
    click.echo("exactly the right rows")


def show(figures: dict[str, int], title: str) -> None:
    table = Table("what", "number", title=title)
    for what, count in figures.items():
        table.add_row(what, str(count))
    Console().print(table)


if __name__ == "__main__":
    main()
