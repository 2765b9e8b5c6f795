"""The queries that a report names run, on the tables as a run leaves them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from pixlake.iceberg.lakes import Lake
from pixlake.messages import CompactAnswer, Effect
from pixlake.report.next_steps import write_changes_query, write_rejects_query, write_rows_query
from tests.builders.commands import run
from tests.builders.zoo import put_rows
from tests.statements import RUN, SPLIT

pytestmark = pytest.mark.usefixtures("in_this_process")
REPLACED = CompactAnswer(0, 2, 0, 0, 0, 0, effects={"records": Effect(replaced=1)})


def query(lake: Lake, sql: str) -> list[dict[str, Any]]:
    result = run("query", sql, "--lake", lake.folder, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def moment() -> datetime:
    """Now, later than all snapshots before it and earlier than all after it."""
    time.sleep(0.002)
    now = datetime.now(UTC)
    time.sleep(0.002)
    return now


def test_each_value_that_changed_is_listed_with_what_it_was(own_zoo_lake: Lake) -> None:
    def put(record_id: str, day: str, *images: str, **attributes: str | None) -> None:
        row = {"record_id": record_id, "image_paths": list(images), "attributes": list(attributes.items())}
        put_rows(own_zoo_lake, "records", [row | {"uploaded_at": datetime.fromisoformat(day)}], f"{record_id} {day}")

    put("a", "2026-11-21T00:00:00Z", "a.png", name="Vase", year="1801")
    put("b", "2026-11-21T00:00:00Z", name="Bowl")
    begun = moment()
    put("a", "2026-11-22T00:00:00Z", "a.png", "a-2.png", year="1901", name="Vase")
    put("b", "2026-11-22T00:00:00Z", name="Bowl")
    put("c", "2026-11-22T00:00:00Z", name="Cup", year=None)
    ended = moment()
    put("a", "2026-11-23T00:00:00Z", name="of a later run")
    one = structs.replace(RUN, experiment_id="zoo", started_at=begun.isoformat())
    assert query(own_zoo_lake, write_changes_query(one, REPLACED, ended, "pixlake")) == [
        {"record_id": "a", "name": "image_paths", "before": "a.png", "after": "a.png, a-2.png"},
        {"record_id": "a", "name": "year", "before": "1801", "after": "1901"},
        {"record_id": "c", "name": "image_paths", "before": None, "after": ""},
        {"record_id": "c", "name": "name", "before": None, "after": "Cup"},
    ]


@pytest.mark.parametrize("effect", [Effect(new=2), Effect(unchanged=2), Effect(older=2)])
def test_there_is_nothing_to_list_where_no_record_changed(effect: Effect) -> None:
    answer = structs.replace(REPLACED, effects={"records": effect})
    assert write_changes_query(RUN, answer, datetime.now(UTC), "pixlake") == ""


@pytest.mark.parametrize(
    "write",
    [
        lambda run: write_rows_query(run, SPLIT, "pixlake"),
        lambda run: write_rows_query(run, structs.replace(SPLIT, records=0), "pixlake"),
    ],
)
def test_the_rows_of_an_upload_are_not_those_of_others(own_zoo_lake: Lake, write: Callable[..., str]) -> None:
    def count(experiment_id: str, uploaded_at: str) -> int:
        one = structs.replace(RUN, experiment_id=experiment_id, uploaded_at=uploaded_at)
        return len(query(own_zoo_lake, write(one)))

    assert count("zoo", "2026-11-20T09:30:00Z") > 0
    assert count("zoo", "2026-11-20T09:30:01Z") == count("other", "2026-11-20T09:30:00Z") == 0


def test_rejects_are_those_of_the_upload(own_zoo_lake: Lake) -> None:
    same = {"source": "a.png", "stage": "embed", "reason": "truncated", "detail": ""}
    for day in (1, 2):
        put_rows(own_zoo_lake, "rejects", [same | {"uploaded_at": datetime(2026, 1, day, tzinfo=UTC)}], f"{day}")
    one = structs.replace(RUN, experiment_id="zoo", uploaded_at="2026-01-02T00:00:00Z")
    assert query(own_zoo_lake, write_rejects_query(one, "pixlake")) == [same]
