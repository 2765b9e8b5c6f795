"""The API behind API Gateway over a lake in S3 with its tables in Glue: what it reads, and where it leads to."""

import json
import urllib.request
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pixlake import storage
from pixlake.api.gateway import Gateway
from pixlake.errors import AccessDenied
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.deletion import delete_rows
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.rows import ParquetRows
from pixlake.settings import ApiSettings, MaintainSettings
from pixlake.steps.maintain import maintain
from pixlake_cli.deleting import prune_indexes
from tests.builders import galleries
from tests.builders.galleries import COLORS, EXPERIMENT
from tests.builders.gateway import Asked, read_body
from tests.builders.zoo import put_rows
from tests.contract.places import LakePlace, s3_lake

CONTEXT = SimpleNamespace()


@pytest.fixture
def place(moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> LakePlace:
    return s3_lake(moto_server, monkeypatch)


@pytest.fixture
def gateway(place: LakePlace, tmp_path: Path) -> Gateway:
    return Gateway(ApiSettings(place.uri, catalog_uri=place.catalog_uri), cache=tmp_path / "cache")


@pytest.fixture
def model(place: LakePlace, tmp_path: Path) -> str:
    """Of the vectors in the lake, which is filled as a gallery is."""
    here = galleries.fill(Lake.at(str(tmp_path / "here")))
    assert here.folder
    for path in [*here.folder.glob("models/**/*"), *here.folder.glob("images/**/*")]:
        if path.is_file():
            storage.write(f"{place.uri}/{path.relative_to(here.folder)}", path.read_bytes(), "image/png")
    gateway = Gateway(ApiSettings(here.uri, catalog_uri=here.catalog_uri), here, tmp_path / "cache-here")
    rows = []
    for name in COLORS:
        image = (here.folder / f"images/of/{name}.png").read_bytes()
        found = said(gateway(ask_by(image, "/embed?model=tiny"), CONTEXT))
        rows.append({"image_path": f"of/{name}.png", "embedding": found["embedding"], "model": found["model"]})
    put_rows(Lake(place.uri, place.catalog_uri, None), "embeddings", rows, "colors", EXPERIMENT)
    return str(rows[0]["model"])


def ask_by(image: bytes, path: str) -> dict[str, Any]:
    return Asked("POST", path, image, {"content-type": "image/png"}).as_v2()


def said(answer: dict[str, Any]) -> Any:
    assert answer["statusCode"] == 200, answer
    return json.loads(read_body(answer))


def test_a_deployed_lake_is_searched_by_indexes_in_the_functions_own_folder(
    gateway: Gateway, place: LakePlace, model: str, tmp_path: Path
) -> None:
    red = storage.read(f"{place.uri}/images/of/red.png")
    assert said(gateway(ask_by(red, "/classify"), CONTEXT))["label"] == "red"
    hits = said(gateway(ask_by(red, f"/search?n=2&experiment={EXPERIMENT}"), CONTEXT))
    assert [hit["image_path"] for hit in hits] == ["of/red.png", "of/dark.png"]
    assert said(gateway(Asked("GET", "/experiments").as_v1(), CONTEXT)) == [{"experiment_id": EXPERIMENT, "vectors": 4}]
    assert {path.suffix for path in (tmp_path / "cache").glob(f"*/{model}/*")} == {".arrow", ".f32"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The columns that are read of data files."""
    columns: list[str] = []
    batches = ParquetRows.batches

    def counted(rows: ParquetRows, wanted: list[str]) -> Any:
        columns.extend(wanted)
        return batches(rows, wanted)

    monkeypatch.setattr(ParquetRows, "batches", counted)
    return columns


def search(place: LakePlace, cache: Path) -> list[dict[str, Any]]:
    """What a new process finds that begins with an empty disk."""
    red = storage.read(f"{place.uri}/images/of/red.png")
    gateway = Gateway(ApiSettings(place.uri, catalog_uri=place.catalog_uri), cache=cache)
    hits: list[dict[str, Any]] = said(gateway(ask_by(red, f"/search?experiment={EXPERIMENT}"), CONTEXT))
    return hits


def published(place: LakePlace) -> list[str]:
    return sorted(info.uri for info in storage.list_objects(f"{place.uri}/indexes"))


def test_an_index_is_made_once_and_found_in_the_bucket_by_later_processes(
    place: LakePlace, model: str, tmp_path: Path, read: list[str]
) -> None:
    first = search(place, tmp_path / "1")
    assert "embedding" in read
    assert {uri.rpartition("/")[0] for uri in published(place)} == {f"{place.uri}/indexes/{model}"}
    read.clear()
    assert search(place, tmp_path / "2") == first
    assert read == ["model"]
    assert not [path for path in (tmp_path / "2").rglob("*") if path.is_file()], "the codes are mapped, nameless"


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("suffix", [".arrow", ".f32"])
@pytest.mark.parametrize("damage", [b"", b"no index"])
def test_a_damaged_index_in_the_bucket_is_made_anew(
    place: LakePlace, tmp_path: Path, read: list[str], suffix: str, damage: bytes
) -> None:
    first = search(place, tmp_path / "1")
    (uri,) = [uri for uri in published(place) if uri.endswith(suffix)]
    whole = storage.read(uri)
    storage.write(uri, damage)
    read.clear()
    assert search(place, tmp_path / "2") == first
    assert "embedding" in read
    assert storage.read(uri) == whole


@pytest.mark.usefixtures("model")
def test_a_search_is_answered_where_the_index_cannot_be_kept(
    place: LakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(uri: str, _: object) -> None:
        raise AccessDenied(uri)

    monkeypatch.setattr(storage, "write_stream", refuse)
    assert len(search(place, tmp_path / "1")) == 4
    assert published(place) == []


@pytest.mark.usefixtures("model")
def test_the_index_of_a_file_that_is_gone_goes_with_maintenance_but_not_one_just_made(
    place: LakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(place, tmp_path / "1")
    kept = published(place)
    gone = f"{place.uri}/indexes/other@1/gone"
    for suffix in (".arrow", ".f32"):
        storage.write(gone + suffix, b"x")
    settings = MaintainSettings(place.uri, place.catalog_uri)
    maintain(settings)
    assert set(published(place)) == {*kept, f"{gone}.arrow", f"{gone}.f32"}
    monkeypatch.setattr("pixlake.steps.maintain.SAFE_AGE", timedelta(days=-1))
    maintain(settings)
    assert published(place) == kept


@pytest.mark.usefixtures("model")
def test_an_index_goes_with_the_experiment_that_is_deleted(place: LakePlace, tmp_path: Path) -> None:
    search(place, tmp_path / "1")
    lake = Lake(place.uri, place.catalog_uri, None)
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    delete_rows(catalog, EXPERIMENT)
    prune_indexes(lake, catalog)
    assert published(place) == []


@pytest.mark.usefixtures("model")
def test_an_image_is_where_its_bucket_has_it_for_a_while(gateway: Gateway, place: LakePlace) -> None:
    answer = gateway(Asked("GET", f"/images/{EXPERIMENT}/of/blue%3F%23%C3%A9.png").as_v2(), CONTEXT)
    assert answer["statusCode"] == 302
    assert answer["headers"]["cache-control"].startswith("private")
    address = answer["headers"]["location"]
    assert "X-Amz-Expires=900" in address
    with urllib.request.urlopen(address) as found:
        assert found.read() == storage.read(f"{place.uri}/images/of/blue?#é.png")


@pytest.mark.usefixtures("model")
def test_no_address_leads_outside_of_the_lakes_images(gateway: Gateway, place: LakePlace) -> None:
    row = {"image_path": "secret.png", "embedding": [1.0] * 4, "model": "tiny@0123456789ab"}
    row |= {"image_uri": f"{place.uri}/models/tiny/bundle.json"}
    put_rows(Lake(place.uri, place.catalog_uri, None), "embeddings", [row], "1", "others")
    answer = gateway(Asked("GET", "/images/others/secret.png").as_v2(), CONTEXT)
    assert (answer["statusCode"], "outside of the lake's images" in answer["body"]) == (404, True)


def test_a_stack_without_an_upload_answers_404_and_makes_no_table(gateway: Gateway, place: LakePlace) -> None:
    answer = gateway(Asked("GET", "/experiments").as_v2(), CONTEXT)
    assert (answer["statusCode"], place.uri in answer["body"]) == (404, False)
    assert boto3.client("glue").get_databases()["DatabaseList"] == []
