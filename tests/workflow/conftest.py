import shutil
from collections.abc import Iterator

import pytest

from pixlake_cli.engine.engine import Engine
from tests.builders.engines import fork_server as fork_server
from tests.builders.engines import model_lake as model_lake
from tests.workflow.stacks import Stack, build


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
