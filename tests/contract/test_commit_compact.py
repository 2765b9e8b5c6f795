"""Compact and maintenance from end to end, in a folder and on S3 with Glue."""

from pathlib import Path

import pytest

from pixlake import storage
from pixlake.rejects import Reject
from pixlake.steps.maintain import maintain
from tests.builders import executions
from tests.contract.places import LakePlace


class AnyLake(executions.TableLake):
    """The helper of the unit tests, wherever the lake is."""

    def __init__(self, lake_place: LakePlace) -> None:
        super().__init__(Path())
        self.lake = lake_place

    @property
    def uri(self) -> str:
        return self.lake.uri

    @property
    def catalog_uri(self) -> str:
        return self.lake.catalog_uri


@pytest.fixture
def anywhere(lake_place: LakePlace) -> AnyLake:
    return AnyLake(lake_place)


def test_two_uploads_with_one_lost_batch_leave_the_newest_rows_and_its_rejects(anywhere: AnyLake) -> None:
    first, second = (executions.Execution(anywhere, f"run-{day}", day) for day in (1, 2))
    first.embed("embed-0", ["a.jpg", "b.jpg"])
    first.classify("classify-0", ["1", "2"])
    first.records("00000", ["1", "2"])
    first.reject("extract", "000000", Reject("x.jpg", "extract", "damaged", "It is cut short."))
    second.embed("embed-0", ["b.jpg", "ü #1.jpg"])
    second.embed("embed-1", ["c.jpg"], lost=True)
    assert first.compact().rejected == 1
    assert second.compact().lost_batches == 1
    assert first.compact().embedded == 2
    days = {row["image_path"]: row["uploaded_at"] for row in anywhere.rows("embeddings")}
    assert days == {"a.jpg": first.when, "b.jpg": second.when, "ü #1.jpg": second.when}
    assert {row["source"] for row in anywhere.rows("rejects")} == {"x.jpg", "c.jpg"}


def test_maintenance_keeps_every_row(anywhere: AnyLake) -> None:
    for day in (1, 2, 3):
        execution = executions.Execution(anywhere, f"run-{day}", day)
        execution.records("00000", ["same", f"own {day}"])
        execution.compact()
        execution.end()
    rows = sorted(anywhere.rows("records"), key=str)
    answer = maintain(anywhere.maintain_settings(snapshot_days=0.0, work_days=0.0))
    # a bucket's lifecycle rule deletes them there
    left_alone = anywhere.uri.startswith("s3:")
    assert (answer.expired_snapshots, answer.deleted_work) == (4, 0 if left_alone else 3)
    assert bool(list(storage.list_objects(f"{anywhere.uri}/work"))) == left_alone
    assert sorted(anywhere.rows("records"), key=str) == rows
