"""One Trino for all tests here, over moto's Glue and a real S3, and lakes with a database of their own.

Not run are VACUUM, ALTER TABLE as Hive has it, and Athena's limits: Trino has none of them. OPTIMIZE stands for Trino's
own procedure, with the same WHERE.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pixlake import storage
from tests.doubles.aws import environment
from tests.servers.glue import open_glue
from tests.servers.processes import NotHere
from tests.servers.real_s3 import open_s3
from tests.servers.trino import open_trino
from tests.trino.databases import Database, Servers, make_database


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All of them; the tests are NOT RUN where Trino cannot be had. Without Go, S3 is moto's."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        glue = stack.enter_context(open_glue())
        try:
            s3 = stack.enter_context(open_s3(folder / "s3"))["AWS_ENDPOINT_URL"]
        except NotHere:
            s3 = glue
        try:
            trino = stack.enter_context(open_trino(folder / "trino", glue, s3))
        except NotHere as reason:
            pytest.skip(f"NOT RUN: {reason}")
        yield Servers(glue, s3, trino)


@pytest.fixture(autouse=True)
def reached(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's AWS is these servers."""
    for name, value in {**environment(servers.s3), "AWS_ENDPOINT_URL_GLUE": servers.glue}.items():
        monkeypatch.setenv(name, value)
    # a store is kept for the life of a process
    storage._bucket.cache_clear()


@pytest.fixture(params=["folder", "s3"])
def database(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Database:
    """An empty lake of each kind, its tables in Glue."""
    return make_database(request.param, servers, tmp_path)


@pytest.fixture
def folder_database(servers: Servers, tmp_path: Path) -> Database:
    return make_database("folder", servers, tmp_path)


@pytest.fixture
def s3_database(servers: Servers, tmp_path: Path) -> Database:
    return make_database("s3", servers, tmp_path)
