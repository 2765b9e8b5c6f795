"""Glue behind a proxy that spoils requests: the catalog answers all the same, or the error is one that is retried."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from pixlake.errors import CatalogError
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.schemas import TABLES
from tests.contract.places import LakePlace, s3_lake
from tests.servers.faults import FAULTS, Faults, faulty


@pytest.fixture
def faults() -> Faults:
    return Faults(1.0, most=0)


@pytest.fixture
def spoiled(moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch, faults: Faults) -> Iterator[LakePlace]:
    """A lake whose Glue is reached with faults."""
    place = s3_lake(moto_server, monkeypatch)
    _, port = moto_server.get_host_and_port()
    with faulty(port, faults) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", f"http://127.0.0.1:{proxy}")
        yield place


@pytest.mark.parametrize("kind", FAULTS)
def test_tables_are_made_and_found_although_requests_are_spoiled(spoiled: LakePlace, faults: Faults, kind: str) -> None:
    faults.kinds, faults.most, faults.stall_seconds = [kind], 2, 0.1
    catalog = open_catalog(spoiled.uri, spoiled.catalog_uri)
    assert faults.hit[kind] == 2
    faults.most = 4
    assert [load_table(catalog, name).name()[-1] for name in TABLES] == list(TABLES)
    assert faults.hit[kind] == 4


def test_answers_that_are_cut_again_and_again_are_passing_trouble(spoiled: LakePlace, faults: Faults) -> None:
    catalog = open_catalog(spoiled.uri, spoiled.catalog_uri)
    faults.kinds, faults.most = ["cut"], None
    with pytest.raises(CatalogError, match=r"table records: .* bytes"):
        load_table(catalog, "records")
