"""A condition in SQL chooses the same images of a lake in a folder and of one in S3, which are those of brute force."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from pixlake.api.gateway import Gateway
from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.rows import ParquetRows
from pixlake.settings import ApiSettings
from pixlake.sql.images import choose_images
from tests.builders import conditions
from tests.builders.conditions import CONDITIONS, Condition, chosen_paths, matching
from tests.builders.gateway import Asked, read_body
from tests.builders.zoo import MODEL
from tests.contract.places import LakePlace, s3_lake
from tests.doubles.queries import answer_here


@pytest.fixture
def lake(lake_place: LakePlace) -> Lake:
    folder = Path(lake_place.uri.removeprefix("file://")) if lake_place.uri.startswith("file") else None
    return conditions.fill(Lake(lake_place.uri, lake_place.catalog_uri, folder))


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer_here(monkeypatch, tmp_path)


@pytest.mark.usefixtures("_here")
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS, experiment=st.sampled_from([None, "one"]))
def test_it_chooses_what_brute_force_does(lake: Lake, condition: Condition, experiment: str | None) -> None:
    assert chosen_paths(choose_images(lake, MODEL, experiment, condition.sql)) == matching(condition, experiment)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("image_path IN (SELECT concat(substr(record_id, 2), '.png') FROM records WHERE experiment_id = 'two')",
         {"0.png", "6.png", "9.png"}),
        ("EXISTS (SELECT * FROM predictions WHERE probabilities IS NOT NULL)", set()),
        ("EXISTS (SELECT * FROM records EXCEPT SELECT * FROM records)", set()),
        ("(SELECT count(*) FROM rejects) = 0 AND width > 80", {"9.png"}),
        ("embedding[1] = 1 AND LABEL = 'dog'", {"1.png", "6.png"}),
        ("label = 'dog' -- the last of it", {"1.png", "6.png"}),
    ],
)  # fmt: skip
def test_it_may_ask_any_table_and_any_column(lake: Lake, where: str, found: set[str]) -> None:
    assert {path for _, path in chosen_paths(choose_images(lake, MODEL, None, where))} == found


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("where", ["nothing = 1", "label = ", "width = 1) OR (1 = 1; DROP TABLE records", "label > 1"])
def test_a_wrong_one_is_bad_input(lake: Lake, where: str) -> None:
    with pytest.raises(BadRequest):
        choose_images(lake, MODEL, None, where)


@pytest.mark.usefixtures("_here")
def test_no_vector_is_read_for_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    batches = ParquetRows.batches

    def noted(rows: ParquetRows, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        read.extend(columns)
        return batches(rows, columns)

    monkeypatch.setattr(ParquetRows, "batches", noted)
    choose_images(lake, MODEL, "one", "label = 'cat'")
    assert not {"embedding", "probabilities", "attributes"} & set(read)


@pytest.mark.usefixtures("_here")
def test_a_search_behind_api_gateway_takes_one(
    moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = s3_lake(moto_server, monkeypatch)
    conditions.fill(Lake(place.uri, place.catalog_uri, None))
    gateway = Gateway(ApiSettings(place.uri, catalog_uri=place.catalog_uri), cache=tmp_path / "cache")

    def ask(where: str) -> tuple[int, list[dict[str, str]]]:
        query = {"like": {"experiment_id": "two", "image_path": "0.png"}, "where": where, "model": MODEL}
        body = json.dumps(query).encode()
        answer = gateway(
            Asked("POST", "/search", body, {"content-type": "application/json"}).as_v2(), SimpleNamespace()
        )
        return answer["statusCode"], json.loads(read_body(answer))

    status, hits = ask("element_at(attributes, 'kind') LIKE 'Tab%'")
    assert status == 200, hits
    assert [hit["image_path"] for hit in hits] == ["0.png", "6.png"]
    assert ask("nothing = 1")[0] == 422
