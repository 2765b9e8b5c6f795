"""A search over HTTP on a lake of random vectors: the first, those after it, and the one after a commit.

The app runs in this process, so that its work is measured without the loopback network. Its peer is numpy's product
with the matrix in memory, and the ten best of it.

    python -m benchmarks.api --vectors 100000
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from starlette.testclient import TestClient

from pixlake.api.app import make_app
from pixlake.iceberg.catalog import commit_rows, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS

_DIMENSIONS = 512
_RUNS = 20
_COMMITTED = 1_000
_LIKE = {"like": {"experiment_id": "many", "image_path": "00000007.png"}, "n": 10}


@click.command()
@click.option("--vectors", type=click.IntRange(1_000), default=100_000, show_default=True)
def main(vectors: int) -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(vectors, _DIMENSIONS)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.at(folder)
        _commit(lake, values, "many")
        client = TestClient(make_app(lake), "http://localhost")

        def search() -> None:
            found = client.post("/search", json=_LIKE).json()
            assert found[0]["image_path"] == _LIKE["like"]["image_path"]  # type: ignore[index]

        first = _time(search, 1)
        warm = _time(search, _RUNS)
        _commit(lake, values[:_COMMITTED], "few")
        after = _time(search, 1)
    _print(vectors, {"first": first, "warm": warm, f"after a commit of {_COMMITTED:,}": after, "numpy": _peer(values)})


def _commit(lake: Lake, values: NDArray[np.float32], experiment: str) -> None:
    count, now = len(values), datetime.now(UTC)
    paths = [f"{index:08d}.png" for index in range(count)]
    same = {"experiment_id": experiment, "model": "random@1", "sha256": "0" * 64, "uploaded_at": now}
    columns: dict[str, object] = {name: [value] * count for name, value in same.items()}
    columns |= {"processed_at": [now] * count, "width": [1] * count, "height": [1] * count, "record_id": [None] * count}
    offsets = np.arange(0, count * _DIMENSIONS + 1, _DIMENSIONS, dtype=np.int32)
    columns |= {
        "image_path": paths,
        "image_uri": [f"{lake.uri}/images/{path}" for path in paths],
        "embedding": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1))),
    }
    arrays = [
        column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
        for field in EMBEDDINGS.columns
    ]
    rows = pa.table(arrays, names=EMBEDDINGS.columns.names)
    commit_rows(open_catalog(lake.uri, lake.catalog_uri), EMBEDDINGS.name, rows, experiment)


def _peer(values: NDArray[np.float32]) -> float:
    query = values[7]

    def best() -> None:
        scores = values @ query
        assert 7 in np.argpartition(-scores, 10)[:10]

    return _time(best, _RUNS)


def _time(call: Callable[[], None], runs: int) -> float:
    """The median seconds of a call."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _print(vectors: int, seconds: dict[str, float]) -> None:
    table = Table("search", "milliseconds", title=f"{vectors:,} vectors of {_DIMENSIONS}, the ten best")
    for name, value in seconds.items():
        table.add_row(name, f"{value * 1_000:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
