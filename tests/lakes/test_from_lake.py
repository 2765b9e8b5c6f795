"""A run without an upload: which images of the lake it gives to a model, and what rows their answers become."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake.messages import Batch, Classifiers, FromLakeRequest, Options, PlanAnswer, SplitRequest
from pixlake.settings import PlanSettings, SplitSettings
from pixlake.steps.plan import plan
from pixlake.steps.split import split
from tests.builders import tiny
from tests.builders.executions import Execution, TableLake
from tests.builders.model_lakes import make_lake

EMBED, LABEL = Options(embedder="tiny"), Options(classifier=Classifiers(orphan="kinds"))


@dataclass
class FromLake:
    """Plan and Split of one such run."""

    lake: TableLake
    options: Options = EMBED

    def plan(self) -> PlanAnswer:
        request = FromLakeRequest("again", "2026-02-01T00:00:00Z", "pets", self.options)
        return plan(request, PlanSettings(self.lake.uri, embedder="photo-lite0"))

    def rows(self, batch_rows: int = 1_024) -> list[dict[str, Any]]:
        planned = self.plan()
        settings = SplitSettings(self.lake.uri, batch_rows, catalog_uri=self.lake.catalog_uri)
        self.answer = split(SplitRequest(planned.run, planned.options, planned.shards), settings)
        work = Execution(self.lake, "again").work
        self.batches = msgspec.json.decode(storage.read(work.batches), type=list[Batch])
        found: list[dict[str, Any]] = []
        for batch in self.batches:
            with storage.Reader(work.batch(batch.batch_id)) as source:
                found += pq.read_table(source).to_pylist()
        return found


@pytest.fixture
def lake(table_lake: TableLake) -> TableLake:
    make_lake(table_lake.folder)
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    tiny.BundleLake(table_lake.folder).classifier("kinds", graph, [tiny.image_input()], kind="image_classifier")
    return table_lake


def upload(lake: TableLake, day: int, *paths: str, complete: bool | None = None) -> None:
    execution = Execution(lake, f"upload-{day}", day, options=Options(complete=complete))
    execution.embed("embed-0", paths)
    execution.compact()


def test_every_image_is_embedded_with_the_time_of_its_own_upload(lake: TableLake) -> None:
    upload(lake, 1, "a.jpg", "b.jpg")
    upload(lake, 2, "b.jpg", "c.jpg")
    rows = FromLake(lake).rows()
    assert [(row["image_path"], row["uploaded_at"].day) for row in rows] == [("a.jpg", 2), ("b.jpg", 3), ("c.jpg", 3)]
    assert {row["image_uri"] for row in rows} == {"s3://lake/a.jpg", "s3://lake/b.jpg", "s3://lake/c.jpg"}


def test_batches_are_cut_within_the_limits(lake: TableLake) -> None:
    upload(lake, 1, "a.jpg", "b.jpg", "c.jpg")
    again = FromLake(lake)
    again.rows(batch_rows=2)
    assert [(batch.batch_id, batch.count) for batch in again.batches] == [("embed-000000", 2), ("embed-000001", 1)]
    assert again.answer.images == 3


def test_what_a_complete_upload_took_out_is_not_embedded(lake: TableLake) -> None:
    upload(lake, 1, "a.jpg", "b.jpg")
    upload(lake, 2, "b.jpg", complete=True)
    assert [row["image_path"] for row in FromLake(lake).rows()] == ["b.jpg"]


def test_the_stacks_own_models_are_not_asked(lake: TableLake) -> None:
    assert FromLake(lake, LABEL).plan().options == LABEL


def test_images_without_a_record_are_classified_once_for_each_upload_of_theirs(lake: TableLake) -> None:
    upload(lake, 1, "0.jpg", "1.jpg")
    owned = Execution(lake, "owned", 2)
    owned.embed("embed-0", ["2.jpg"])
    owned.records("00000", ["2"], **{"2": ["2.jpg"]})
    owned.compact()
    first = FromLake(lake, LABEL)
    rows = first.rows()
    assert [(row["record_id"], row["image_paths"]) for row in rows] == [(None, ["0.jpg"]), (None, ["1.jpg"])]
    assert (first.batches[0].task, first.batches[0].modality, first.answer.orphans) == ("classify", "image", 2)


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(embedder=""),
        Options(embedder="tiny", complete=True),
        Options(embedder="tiny", classifier=Classifiers(with_image="colors")),
    ],
)
def test_other_options_than_models_of_images_are_refused(lake: TableLake, options: Options) -> None:
    with pytest.raises(BadRequest, match=r"embedder and classifier\.orphan"):
        FromLake(lake, options).plan()


def test_an_experiment_without_images_says_so(lake: TableLake) -> None:
    upload(lake, 1, "a.jpg")
    planned = FromLake(lake).plan()
    elsewhere = msgspec.structs.replace(planned.run, experiment_id="none")
    with pytest.raises(BadRequest, match="'none' has no image with a vector"):
        split(
            SplitRequest(elsewhere, planned.options, planned.shards),
            SplitSettings(lake.uri, catalog_uri=lake.catalog_uri),
        )
