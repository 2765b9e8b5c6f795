"""Events of uploads that come late, in any order and many times: the rows are those of the uploads.

The uploads lie in a real S3 with versions (versitygw), every fifth under the key of another. Each delivery of an event
that the template's own rule passes on is an execution of its own, as EventBridge starts one: Plan, Split and Compact,
called with what the state machine hands them, in two processes at once on one lake in a folder. The rows are compared
with a dictionary.

    python -m benchmarks.events                                  # 200 events of 20 uploads
    python -m benchmarks.events --events 10000 --uploads 500     # as in docs/benchmarks.md: an hour
"""

import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from moto.events.models import EventPattern
from rich.console import Console
from rich.table import Table

from pixlake import storage
from pixlake.iceberg.lakes import Lake
from pixlake.messages import CompactRequest, SplitRequest
from pixlake.settings import CompactSettings, PlanSettings, SplitSettings
from pixlake.steps.compact import compact
from pixlake.steps.plan import plan
from pixlake.steps.split import split
from pixlake.triggers import read_request
from pixlake_cli.engine.template import Resolver
from tests.builders.model_lakes import make_zip, rows
from tests.project import read_template
from tests.servers.real_s3 import make_bucket, open_s3

BUCKET = "uploads"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_PROCESSES = 2
_STARTED = "2026-06-01T00:00:00Z"
Event = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """Records of its own, one that all of its experiment have, and one of its key."""

    number: int

    @property
    def experiment(self) -> str:
        return f"experiment-{self.number % 5}"

    @property
    def key(self) -> str:
        """Every fifth upload replaces the object of the one ten before it, of the same experiment."""
        number = self.number - 10 if self.number % 25 >= 20 else self.number
        return f"uploads/{self.experiment}/pets {number}+.zip"

    @property
    def time(self) -> datetime:
        return _BEGAN + timedelta(minutes=self.number)

    @property
    def records(self) -> dict[str, str]:
        return dict.fromkeys([f"own-{self.number}", "shared", self.key], str(self.number))

    def put(self, folder: Path) -> Event:
        """Upload it; S3's event."""
        lines = "".join(f"{name},{value}\n" for name, value in self.records.items())
        path = make_zip(folder / "upload.zip", {"pets.csv": f"id,upload\n{lines}"})
        storage.write(f"s3://{BUCKET}/{self.key}", path.read_bytes())
        version = storage.head(f"s3://{BUCKET}/{self.key}").version_id
        return {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "time": self.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": self.key, "version-id": version}},
        }


@click.command()
@click.option("--events", default=200, show_default=True, help="Deliveries; each event comes once at least.")
@click.option("--uploads", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(events: int, uploads: int, seed: int) -> None:
    chance = random.Random(seed)
    given = [Upload(number) for number in range(uploads)]
    with tempfile.TemporaryDirectory(prefix="events-") as temporary:
        folder = Path(temporary)
        (folder / "s3").mkdir()
        with open_s3(folder / "s3") as reached:
            os.environ.update(reached)
            make_bucket(BUCKET, versioned=True)
            put = [upload.put(folder) for upload in given]
            delivered = [*put, *chance.choices(put, k=events - len(put))]
            chance.shuffle(delivered)
            lake = Lake.at(str(folder / "lake"))
            begun = time.monotonic()
            seconds = deliver(lake, list(passed_on(delivered)))
            took = time.monotonic() - begun
        wrong = compare(lake, given)
    table = Table("what", "figure")
    table.add_row("uploads", f"{uploads:,}")
    table.add_row("keys, of which some have two versions", f"{len({upload.key for upload in given}):,}")
    table.add_row("executions", f"{len(seconds):,}")
    table.add_row("seconds in all", f"{took:,.0f}")
    table.add_row("median of an execution, ms", f"{statistics.median(seconds) * 1000:,.0f}")
    table.add_row("rows", f"{sum(len(one) for one in expected(given).values()):,}")
    Console().print(table)
    if wrong:
        raise click.ClickException("\n".join(wrong))
    click.echo("exactly the rows of the uploads")


def passed_on(delivered: Sequence[Event]) -> Iterator[Event]:
    """What the template's rule hands the state machine: the events that it matches, whole."""
    template = read_template()
    rule = Resolver(template, {}, {"UploadsBucket": BUCKET}).resolve(
        template["Resources"]["UploadedRule"]["Properties"]["EventPattern"]
    )
    pattern = EventPattern(None, rule)
    return (event for event in delivered if pattern.matches_event(event))  # type: ignore[arg-type]


def deliver(lake: Lake, events: Sequence[Event]) -> list[float]:
    """The seconds of each execution."""
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(execute, [lake] * len(events), events, chunksize=1))


def execute(lake: Lake, event: Event) -> float:
    """The steps of an upload of a table alone: there are no shards and no batches. Its seconds."""
    begun = time.perf_counter()
    request = read_request({"execution_id": uuid4().hex, "started_at": _STARTED, "ingest": event})
    planned = plan(request, PlanSettings(lake.uri))
    answer = split(SplitRequest(planned.run, planned.options, planned.shards), SplitSettings(lake.uri))
    compact(CompactRequest(planned.run, answer, planned.options), CompactSettings(lake.uri, lake.catalog_uri))
    return time.perf_counter() - begun


def expected(uploads: Sequence[Upload]) -> dict[str, dict[str, tuple[datetime, str]]]:
    """Upload time and value by experiment and record: those of the newest upload."""
    found: dict[str, dict[str, tuple[datetime, str]]] = {}
    for upload in sorted(uploads, key=lambda it: it.time):
        of_upload = {record: (upload.time, value) for record, value in upload.records.items()}
        found.setdefault(upload.experiment, {}).update(of_upload)
    return found


def compare(lake: Lake, uploads: Sequence[Upload]) -> list[str]:
    """The experiments whose rows are not those of their uploads, and rejects."""
    wrong = [f"rejects: {row}" for row in rows(lake, "rejects")]
    listed = rows(lake, "records")
    for experiment, right in expected(uploads).items():
        mine = [row for row in listed if row["experiment_id"] == experiment]
        found = {row["record_id"]: (row["uploaded_at"], dict(row["attributes"])["upload"]) for row in mine}
        if found != right or len(mine) != len(right):
            wrong.append(f"{experiment}: {found.items() ^ right.items()}")
    return wrong


if __name__ == "__main__":
    main()
