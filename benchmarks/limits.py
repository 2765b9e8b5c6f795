"""AWS's limits against the figures of the code's settings for a thousand, a million and a hundred million images.

    python -m benchmarks.limits > docs/limits.md

Messages are built with the longest names allowed and encoded as the functions encode them; events are counted in the
state machine as it is written.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from benchmarks.costs import PRICES, Work, costs, monthly, others
from pixlake import messages
from pixlake.messages import Batch, BatchRequest, Classifiers, ExtractRequest, Ingest, ItemList, Options, Run, Shard
from pixlake.parts.handover import MERGED, list_statements
from pixlake.schemas import REJECTS
from pixlake.settings import CompactSettings, ExtractSettings, InferenceSettings, PlanSettings, SplitSettings
from pixlake_cli.engine.template import TemplateLoader
from pixlake_models.trying.prices import MILLION

ROOT = Path(__file__).resolve().parents[1]
IMAGES = (1_000, MILLION, 100 * MILLION)

PAYLOAD_BYTES = 256 << 10
HISTORY_EVENTS = 25_000
ITEM_FILE_BYTES = 10 << 30
LAMBDA_SECONDS = 900
PUTS_PER_SECOND, GETS_PER_SECOND = 3_500, 5_500
CAUSE_BYTES, ERROR_BYTES = 32 << 10, 256

# the longest that S3, Step Functions and `lake.check_identifier` allow
KEY, EXECUTION, NAME, LAKE = "k" * 1024, "e" * 80, "n" * 100, f"s3://{'b' * 63}"
VERSIONED = f"{NAME}@{'0' * 16}"


def machine() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "statemachine/ingest.asl.yaml").read_text())
    return loaded


def parameter(name: str) -> int:
    """A number of template.yaml's parameters, by default."""
    template = yaml.load((ROOT / "template.yaml").read_text(), TemplateLoader)
    return int(template["Parameters"][name]["Default"])


# ---- payloads ------------------------------------------------------------------------------------------------------

TIME = "2026-11-21T00:00:00.000000+00:00"
RUN = Run(EXECUTION, NAME, f"s3://{KEY}", "0" * 16, TIME, TIME, upload_version="v" * 1024, upload_etag="e" * 40)
OPTIONS = Options(NAME, NAME, NAME, NAME, Classifiers(NAME, NAME, NAME))
ROLES = ("embedder", "with_image", "without_image", "orphan")


def payloads(work: Work) -> dict[str, int]:
    """Bytes of the largest messages of one execution. Only counts grow with the images, by a digit."""
    items = ItemList(f"work/{EXECUTION}/batches.json", work.batches)
    n = work.largest
    plan = messages.PlanAnswer(RUN, OPTIONS, items, n, n, n)
    split = messages.SplitAnswer(items, n, n, n, n, n, dict.fromkeys(ROLES, VERSIONED), NAME, NAME * 5, ROLES)
    compact = messages.CompactAnswer(n, n, n, n, n, work.batches)
    ingest = msgspec.json.encode(Ingest(f"s3://{KEY}", NAME, RUN.uploaded_at, OPTIONS)).decode()
    ended = messages.Ended(EXECUTION, "FAILED", 10**13, 10**13, ingest, "e" * ERROR_BYTES, "c" * CAUSE_BYTES)
    on_athena = msgspec.structs.replace(compact, statements=statements())
    return {
        "a child of Extract": size(ExtractRequest(RUN, Shard(work.shards, n, n, n, 1 << 40))),
        "a child of Infer": size(BatchRequest(RUN, batch(work.batches))),
        "Report, with all that came before": size(messages.ReportRequest(RUN, plan, split, compact)),
        "RecordFailure, with the longest cause": size(messages.FailureRequest(ended)),
        "before CompactOnAthena, with its statements": size({"plan": plan, "split": split, "compact": on_athena}),
    }


def statements() -> tuple[messages.TableStatements, ...]:
    """The statements that Compact passes to Athena, with the longest names."""
    folders = {name: f"{'parts' if name != REJECTS.name else 'merged'}/{name}" for name in MERGED}
    return list_statements(RUN, LAKE, folders)


def size(message: Any) -> int:
    return len(msgspec.json.encode(message))


def batch(number: int) -> Batch:
    return Batch(f"classify-with_image-{number:06d}", "classify", "image+tabular", VERSIONED, 16_384, 1 << 40)


def manifest_bytes(work: Work) -> int:
    """The larger of the two files that the Maps read their items from."""
    one_batch, one_shard = size(batch(work.batches)), size(Shard(work.shards, 1 << 40, 1 << 30, 2_000, 1 << 30))
    return max((one_batch + 1) * work.batches, (one_shard + 1) * work.shards)


# ---- history -------------------------------------------------------------------------------------------------------


def events(states: Mapping[str, Any]) -> int:
    """Events of a machine of these states, each passed once with every retry that is written.

    A task has two for the state and three for each attempt, of which each Retrier counts its own; a Map four: its
    children have histories of their own.
    """
    total = 2
    for state in states.values():
        match state["Type"]:
            case "Task":
                total += 2 + 3 * (1 + sum(retry["MaxAttempts"] for retry in state["Retry"]))
            case "Map":
                total += 4
            case _:
                total += 2
    return total


def histories() -> dict[str, int]:
    """The events of the execution, and of the child with the longest history."""
    states = machine()["States"]
    maps = [state["ItemProcessor"]["States"] for state in states.values() if state["Type"] == "Map"]
    return {"the execution": events(states), "a child of a Map": max(map(events_of_child, maps))}


def events_of_child(states: Mapping[str, Any]) -> int:
    """A child goes through one Task, whichever its Choice leads to."""
    others = {name: state for name, state in states.items() if state["Type"] != "Task"}
    return max(events({**others, name: state}) for name, state in states.items() if state["Type"] == "Task")


# ---- the page ------------------------------------------------------------------------------------------------------


def main() -> None:
    print(page(), end="")


def page() -> str:
    """docs/limits.md."""
    parts = [HEAD, table(ROWS), AFTER_LIMITS, "".join(price_tables()), PRICES_HEAD, "".join(prices())]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:,.2g}"


def size_text(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000:
            return f"{value:,.3g} {unit}"
        value /= 1024
    return f"{value:,.3g} TiB"


def extract_puts(work: Work) -> float:
    """Images a second written below one upload's prefix, by all children of Extract at once."""
    at_once: int = min(work.shards, machine()["States"]["Extract"]["MaxConcurrency"])
    return min(at_once * work.measured.passed_bytes_per_second / work.image_bytes, work.largest)


def embed_gets(work: Work) -> float:
    at_once = min(work.batches, parameter("MapConcurrency"))
    return at_once * work.measured.embedded_per_second * work.inference_cores


Row = tuple[str, Callable[[Work], str], str]
ROWS: list[Row] = [
    ("uploads", lambda w: number(w.uploads), f"{PlanSettings.max_members:,} members each"),
    ("shards of the largest (children of Extract)", lambda w: number(w.shards), "-"),
    ("batches of the largest (children of Infer)", lambda w: number(w.batches), "-"),
    ("items file of a Map", lambda w: size_text(manifest_bytes(w)), size_text(ITEM_FILE_BYTES)),
    ("largest payload", lambda w: size_text(max(payloads(w).values())), size_text(PAYLOAD_BYTES)),
    ("statements for Athena, where it merges", lambda _: size_text(size(statements())), size_text(PAYLOAD_BYTES)),
    ("events of the execution, every retry taken", lambda _: number(histories()["the execution"]), "25,000"),
    ("events of a child, every retry taken", lambda _: number(histories()["a child of a Map"]), "25,000"),
    ("Extract, seconds a shard", lambda w: number(w.extract_seconds), "900"),
    ("Embed, seconds a batch (ViT-B/32)", lambda w: number(w.embed_seconds), "900"),
    ("Embed, hours an upload", lambda w: number(w.batches * w.embed_seconds / at_once(w) / 3600), "-"),
    ("Compact, seconds an upload", lambda w: number(w.compact_seconds), "900"),
    ("PUT a second below one prefix", lambda w: number(extract_puts(w)), f"{PUTS_PER_SECOND:,}"),
    ("GET a second below one prefix", lambda w: number(embed_gets(w)), f"{GETS_PER_SECOND:,}"),
    (
        "data files of `embeddings`",
        lambda w: number(-(-w.images * w.vector_bytes // CompactSettings.target_file_bytes)),
        "-",
    ),
    ("snapshots and manifests made", lambda w: number(w.uploads), "expire after SnapshotDays"),
    ("Glue table versions kept", lambda _: "1", "100,000"),
    ("Plan, bytes of names in /tmp", lambda w: size_text(w.largest * len(KEY)), "2 GiB"),
]


def at_once(work: Work) -> int:
    return min(work.batches, parameter("MapConcurrency"))


def table(rows: list[Row]) -> str:
    works = [Work(images) for images in IMAGES]
    lines = [line("images", [f"{images:,}" for images in IMAGES], "limit"), RULE]
    lines += [line(what, [value(work) for work in works], limit) for what, value, limit in rows]
    return "\n".join(lines)


RULE = "| --- |" + " ---: |" * (len(IMAGES) + 1)


def line(name: str, values: list[str], last: str) -> str:
    return f"| {' | '.join([name, *values, last])} |"


def price_tables() -> Iterator[str]:
    """Dollars by service, for each count of images and by the million."""
    yield line("dollars", [f"{images:,}" for images in IMAGES], "a million") + f"\n{RULE}\n"
    works = [Work(images) for images in IMAGES]
    for title, kind in (("**in all, once**", costs), ("**in all, a month**", monthly), ("", others)):
        by_work = [kind(work) for work in works]
        rate = 1 if kind is not monthly else 0
        for name in by_work[0]:
            yield row(name, [each[name] for each in by_work], rate)
        if title:
            yield row(title, [sum(each.values()) for each in by_work], rate)


def row(name: str, dollars: list[float], rate: int) -> str:
    million = f"{dollars[-1] / IMAGES[-1] * MILLION:,.2f}" if rate else "-"
    return line(name, [f"{each:,.2f}" for each in dollars], million) + "\n"


def prices() -> Iterator[str]:
    yield "| dollars | for a | AWS's page | noted |\n| ---: | --- | --- | --- |\n"
    for price in PRICES.values():
        yield f"| {price.dollars:g} | {price.what} | {price.page} | {price.noted} |\n"


SAMPLE = Work(MILLION)
HEAD = f"""
# Limits and cost

Written by `make docs` from the settings in the code, the state machine and the figures of benchmarks/; a test keeps it
current. An image has {SAMPLE.image_bytes:,} bytes, its vector {SAMPLE.dimensions} floats; `InferenceMemory` is
{SAMPLE.inference_mb:,} MB, `MapConcurrency` {parameter("MapConcurrency")}.

## Limits
"""
AFTER_LIMITS = f"""
Payloads do not grow with the images: they carry keys and counts. Nor does an execution's history: the children of a
Distributed Map have their own.

Where a limit is met:

- **More than {PlanSettings.max_members:,} images in one upload**: Plan refuses it with `too_many_members`. Put in
  several uploads of one experiment; they can run concurrently, and the tables hold them all. The variable
  `MAX_MEMBERS` of PlanFunction raises the limit; its `/tmp` and memory have to grow with it.
- **PUT above {PUTS_PER_SECOND:,} a second below a prefix**: S3 answers 503 until it has split the prefix, and every
  upload has a prefix of its own. So at most {machine()["States"]["Extract"]["MaxConcurrency"]} Extract run at once,
  each with up to {ExtractSettings.writes_in_flight} writes in flight. With smaller images they meet the limit all the
  same: obstore backs off and repeats, then the state does; the upload is slower, and nothing is lost.
- **Compact above 900 s**: the commit replaces what it must of an experiment's files, so it grows with the experiment
  where uploads overlap it. `CompactionEngine=athena` has Athena's limit instead: a MERGE that takes longer than the
  account's quota "DML query timeout", 30 minutes and at most 240, fails and is not retried; raise the quota and redrive
  the execution. It has not yet been run on a real account.
- **A batch above 900 s**: batches are cut to {SplitSettings.batch_seconds / 60:.0f} minutes where the bundle says what
  an image costs, and after {InferenceSettings.work_seconds:.0f} s a worker leaves the rest of its batch to the next
  round. A group of {InferenceSettings.inference_batch} images that takes longer fails: raise `InferenceMemory`.
- **Many uploads at once on one experiment**: commits conflict and are planned again; CommitConflict is retried by the
  state. Hundreds at once are better spread over experiments, or put in as fewer, larger zips.
- **Lambda's concurrency**: an account starts with as few as 10. Throttled invocations wait, up to about eight hours,
  which two uploads of {PlanSettings.max_members:,} images at once on ten slots need; nothing is lost (simulated in
  `tests/template/throttles.py` over the numbers of the state machine). An alarm says so.

## Cost
"""
PRICES_HEAD = """
One part is the PUT of each image into the lake, the other is inference, which follows the model: a network ten times
faster costs a tenth. Titan and Nova are paid by the image whatever the model's work; Rekognition's labels are its own,
and cheaper above the first million. `CompactionEngine=athena` adds what its merges read.
Queries cost what they read, 5 dollars a TB: a search
through a million vectors reads about 2.2 GB, a cent.

The figures for embedding are of one core of the machine that runs the benchmarks. **A model of your own** costs
28.8 dollars a million images, divided by its images a second on one core, whatever `InferenceMemory` is: Lambda's
price of a GB-second x 1,769 MB a core x a million. Measure it on images of yours: `pixlake run --json` says the seconds
of `Infer`, so images / seconds / cores of the machine is that speed; **each classifier counts as a model more**, and
where an upload has records with and without image, both classifiers share them.

The uploads bucket keeps every zip: `UploadDays` moves them to Glacier Instant Retrieval, at about a sixth of the price
a month, or delete them once the images are in the lake. Replaced and deleted objects cost the same as others for
`UndoDays`. A KMS key of one's own costs a dollar a month besides its requests.

## Prices

List prices for us-east-1, without free tiers and discounts, by AWS's page of that name as written down on that day.
They were noted from copies, not compared with the pages themselves: look before you count on a cent. Change them in
`benchmarks/costs.py`, then `make docs`.
"""


if __name__ == "__main__":
    main()
