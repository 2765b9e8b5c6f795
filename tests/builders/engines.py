"""What the engines of one test process share."""

from collections.abc import Iterator

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine import engine as engines
from pixlake_cli.engine.forks import ForkServer
from pixlake_cli.engine.pool import passed_on
from tests.builders.model_lakes import make_lake
from tests.doubles.aws import parse_services_once

NO_TIME = {"WORK_SECONDS": "0", "INFERENCE_BATCH": "1", "INFERENCE_THREADS": "1"}
"""The environment of workers whose time is over after one image."""

parse_services_once()


class _Shared(ForkServer):
    """Outlasts the engines that use it: what it has imported, the next one's workers need, too."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> Iterator[None]:
    """One for all engines of this process."""
    server = _Shared(passed_on())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "ForkServer", lambda _: server)
        yield
    ForkServer.close(server)


@pytest.fixture(scope="module")
def model_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the tiny models, shared by a module's tests."""
    return make_lake(tmp_path_factory.mktemp("lake"))
