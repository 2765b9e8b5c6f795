"""Functions of one line, in sandboxes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.forks import ForkServer
from pixlake_cli.engine.pool import Pool, passed_on
from pixlake_cli.engine.template import Function
from tests.builders.pools import MakePool


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer(passed_on())
    yield server
    server.close()


@pytest.fixture(params=["forked", "started"])
def make_pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakePool]:
    """`make_pool(source, …)` gives the pool of a function whose module is `source`; all end with the test."""
    forks = request.getfixturevalue("fork_server") if request.param == "forked" else None
    made = []

    def make(
        source: str,
        *,
        timeout: float = 20,
        memory: int = 512,
        cores: int = 2,
        overrides: dict[str, str] | None = None,
        image: str = "",
        **variables: str,
    ) -> Pool:
        (tmp_path / "app.py").write_text(source)
        function = Function("OneFunction", tmp_path, "app.handler", timeout, memory, variables, image)
        made.append(Pool(function, overrides or {}, Cores(cores), tmp_path, forks))
        return made[-1]

    yield make
    for pool in made:
        pool.close()
