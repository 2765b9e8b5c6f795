import shutil
from collections.abc import Iterator

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine import engine as engines
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.forks import ForkServer
from pixlake_cli.engine.pool import passed_on
from tests.builders.model_lakes import make_lake
from tests.doubles.aws import parse_services_once
from tests.workflow.stacks import Stack, build

parse_services_once()


class Shared(ForkServer):
    """Outlasts the engines that use it: what it has imported, the next one's workers need, too."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> Iterator[None]:
    """One for all engines of this process."""
    server = Shared(passed_on())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "ForkServer", lambda _: server)
        yield
    ForkServer.close(server)


@pytest.fixture(scope="module")
def model_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the tiny models, shared by a module's tests."""
    return make_lake(tmp_path_factory.mktemp("lake"))


# Of one module, as an engine answers for AWS in this whole process for as long as it is there.
@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The real state machine over scripted functions."""
    root = tmp_path_factory.mktemp("stack")
    lake = root / "lake"
    lake.mkdir()
    build(root, {"extract": {"Timeout": 2, "MemorySize": 256}})
    with Engine(f"file://{lake}", f"sqlite:///{lake}/catalog.db", root=root) as engine:
        yield Stack(engine, lake)
    shutil.rmtree(engine.logs, ignore_errors=True)
