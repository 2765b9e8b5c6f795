"""Every function in its container under Lambda's runtime, one after the other on the sample."""

import json
from typing import Any

import pytest

from tests.containers.docker import LAKE, Invoke, command
from tests.project import read_event

SMALL = ("split", "embed", "classify", "compact", "report", "record-failure", "maintain", "mirror")
# the API's has DuckDB, too, which evaluates a search's condition
LIMITS_MB = dict.fromkeys(SMALL, 500) | {"api": 600}


def items(storage: Any, listed: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(storage.get_object(Bucket=LAKE, Key=listed["key"])["Body"].read())
    assert len(found) == listed["count"]
    return found


def test_every_step_runs_in_its_container_on_the_sample(invoke: Invoke, storage: Any) -> None:
    plan = invoke("PlanFunction", read_event("plan"))
    run = plan["run"]
    for shard in items(storage, plan["shards"]):
        extracted = invoke("ExtractFunction", {"run": run, "shard": shard})
        assert extracted["extracted"] + extracted["rejected"] == shard["count"]
    split = invoke("SplitFunction", {"run": run, "options": plan["options"], "shards": plan["shards"]})
    for batch in items(storage, split["batches"]):
        answer = invoke(f"{batch['task'].title()}Function", {"run": run, "batch": batch})
        # a record whose image is rejected is still predicted
        assert answer["rows"] <= batch["count"] <= answer["rows"] + answer["rejected"]
    compact = invoke("CompactFunction", {"run": run, "split": split})
    assert compact["lost_batches"] == 0
    assert compact["embedded"] > 0
    assert compact["predicted"] > 0
    report = invoke("ReportFunction", {"run": run, "plan": plan, "split": split, "compact": compact})
    page = storage.get_object(Bucket=LAKE, Key=report["report_uri"].removeprefix(f"s3://{LAKE}/"))
    assert page["Body"].read().lstrip().lower().startswith(b"<!doctype html>")


def test_a_failure_is_recorded_in_its_container(invoke: Invoke) -> None:
    answer = invoke("RecordFailureFunction", read_event("record_failure"))
    assert answer["error"] == "BadUpload"


def test_maintenance_runs_in_its_container(invoke: Invoke) -> None:
    assert invoke("MaintainFunction", read_event("maintain")).keys() == {
        "expired_snapshots",
        "deleted_files",
        "deleted_work",
        "skipped",
    }


@pytest.mark.parametrize("name", LIMITS_MB)
def test_images_are_small_and_do_not_run_as_root(name: str) -> None:
    image = f"{name.replace('-', '')}function:{name}"
    size, user = command("docker", "image", "inspect", image, "--format", "{{.Size}} {{.Config.User}}").split()
    print(f"{image:40} {int(size) / 1e6:.0f} MB")
    assert int(size) < LIMITS_MB[name] * 1e6
    assert user == "pixlake"
