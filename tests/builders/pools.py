"""What the fixture `make_pool` gives."""

from collections.abc import Callable

from pixlake_cli.engine.pool import Pool

MakePool = Callable[..., Pool]
