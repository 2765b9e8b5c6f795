"""Whatever the API's description allows, and what it does not, is answered as the description says, never by 5xx."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixlake.api.gateway import Gateway
from pixlake.iceberg.lakes import Lake
from pixlake.settings import ApiSettings
from tests.builders.galleries import fill
from tests.builders.servers import serving
from tests.doubles import apigateway
from tests.project import ROOT

SCHEMATHESIS = ROOT / ".venv-openapi/bin/schemathesis"
EXAMPLES = 25


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("described"))))


@contextmanager
def behind(server: str, lake: Lake, cache: Path) -> Iterator[str]:
    """The address of the API under uvicorn, or behind API Gateway with events of one payload."""
    if server == "uvicorn":
        with serving(lake) as (_, address):
            yield address
        return
    gateway = Gateway(ApiSettings(lake.uri, catalog_uri=lake.catalog_uri), lake, cache)
    with apigateway.serving(gateway, server) as address:
        yield address


@pytest.mark.parametrize("server", ["uvicorn", "1.0", "2.0"])
def test_every_request_is_answered_as_the_description_says(server: str, lake: Lake, tmp_path: Path) -> None:
    with behind(server, lake, tmp_path / "cache") as address:
        words = ("run", f"{address}/openapi.json", "--phases", "coverage,fuzzing", "--no-shrink", "--seed", "1")
        # random bytes are rarely an image, so what is allowed is not what is accepted
        chosen = ("-n", str(EXAMPLES), "--exclude-checks", "positive_data_acceptance")
        done = subprocess.run(
            [SCHEMATHESIS, *words, *chosen], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout[-10_000:]
    assert " passed" in done.stdout
