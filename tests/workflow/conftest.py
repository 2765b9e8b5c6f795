import shutil
from collections.abc import Iterator

import pytest

from pixlake_cli.engine.engine import Engine
from tests.workflow.stacks import Stack, build


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    lake = root / "lake"
    lake.mkdir()
    build(root, {"extract": {"Timeout": 2, "MemorySize": 256}})
    with Engine(f"file://{lake}", f"sqlite:///{lake}/catalog.db", root=root) as engine:
        yield Stack(engine, lake)
    shutil.rmtree(engine.logs)
