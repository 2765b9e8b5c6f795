"""Every step can run twice, as a retry or a redrive makes it: the same objects, byte for byte, and the same rows."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pixlake.iceberg.lakes import Lake
from pixlake.messages import (
    Batch,
    BatchRequest,
    Classifiers,
    CompactRequest,
    ExtractRequest,
    Ingest,
    ItemList,
    Options,
    PlanRequest,
    ReportRequest,
    Shard,
    SplitRequest,
    parse,
)
from pixlake.settings import (
    CompactSettings,
    ExtractSettings,
    InferenceSettings,
    PlanSettings,
    ReportSettings,
    SplitSettings,
)
from pixlake.steps.classify import classify
from pixlake.steps.compact import compact
from pixlake.steps.embed import embed
from pixlake.steps.extract import extract
from pixlake.steps.plan import plan
from pixlake.steps.report import report
from pixlake.steps.split import split
from tests.builders.model_lakes import Row, image, make_zip, rows

TABLES = ("embeddings", "predictions", "records", "rejects", "executions")
PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n1,3\n2,5\n2,6\n",
    "images/1.png": image(),
    "images/2.png": b"no image",
}
Found = tuple[dict[str, str], dict[str, list[Row]]]


def found(model_lake: Lake) -> Found:
    """The objects that steps hand each other, by digest, and the rows of the tables. What a commit that changes nothing
    leaves in the warehouse is no table's, and the catalog's own file is no object."""
    root = Path(model_lake.uri.removeprefix("file://"))
    files = [path for kind in ("images", "work", "reports") for path in (root / kind).rglob("*") if path.is_file()]
    digests = {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    tables = {table: rows(model_lake, table) for table in TABLES} if (root / "warehouse").is_dir() else {}
    return digests, tables


def twice(model_lake: Lake, work: Callable[..., Any], *arguments: Any) -> Any:
    first = work(*arguments)
    before = found(model_lake)
    assert before[0]
    assert work(*arguments) == first
    after = found(model_lake)
    assert after == before, work
    return first


def items(model_lake: Lake, listed: ItemList, kind: type[Any]) -> list[Any]:
    text = Path(f"{model_lake.uri.removeprefix('file://')}/{listed.key}").read_text()
    return [parse(item, kind) for item in yaml.safe_load(text)]


def test_every_step_run_twice_leaves_the_same_objects_and_rows(model_lake: Lake, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", PETS)
    options = Options(embedder="tiny", classifier=Classifiers("colors", "ages"))
    ingest = Ingest(f"file://{upload}", "pets", "2026-11-01T00:00:00Z", options)
    uri, catalog = model_lake.uri, model_lake.catalog_uri
    planned = twice(model_lake, plan, PlanRequest("one", "2026-11-21T00:00:00Z", ingest), PlanSettings(uri))
    for shard in items(model_lake, planned.shards, Shard):
        twice(model_lake, extract, ExtractRequest(planned.run, shard), ExtractSettings(uri))
    request = SplitRequest(planned.run, planned.options, planned.shards)
    joined = twice(model_lake, split, request, SplitSettings(uri))
    batches = items(model_lake, joined.batches, Batch)
    assert {batch.task for batch in batches} == {"embed", "classify"}
    for batch in batches:
        step = embed if batch.task == "embed" else classify
        twice(model_lake, step, BatchRequest(planned.run, batch), InferenceSettings(uri))
    to_compact = CompactRequest(planned.run, joined, planned.options)
    done = twice(model_lake, compact, to_compact, CompactSettings(uri, catalog))
    assert len(rows(model_lake, "rejects")) >= 2
    # the page and the execution's row say when it ended: anew each time, in their one place
    asking, places = ReportRequest(planned.run, planned, joined, done), ReportSettings(uri, catalog)
    first, before = report(asking, places), found(model_lake)
    assert report(asking, places) == first
    objects, tables = found(model_lake)
    assert objects.keys() == before[0].keys()
    assert len(tables.pop("executions")) == len(before[1].pop("executions")) == 1
    assert tables == before[1]
