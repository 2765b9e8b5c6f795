"""Rows to commit, what the tables must hold after them, and processes that commit them."""

import multiprocessing
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from pixlake.iceberg import fileio
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.schemas import PREDICTIONS, RECORDS, TABLES
from tests.builders.executions import Execution
from tests.contract.places import LakePlace

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Put:
    """One commit of records: these ids, uploaded on this day, with a text that says who put them."""

    who: str
    day: int
    ids: tuple[str, ...]
    experiment: str = "pets"

    def table(self) -> pa.Table:
        when = START + timedelta(days=self.day)
        rows = [
            {
                "experiment_id": self.experiment,
                "record_id": record_id,
                "has_image": False,
                "image_paths": [f"{record_id}.jpg"],
                "attributes": {"who": self.who, "nothing": None},
                "uploaded_at": when,
                "processed_at": when,
            }
            for record_id in self.ids
        ]
        return pa.Table.from_pylist(rows, schema=RECORDS.columns)


def put(lake: LakePlace, some: Put, commit_id: str | None = None) -> int:
    return commit_rows(open_catalog(lake.uri, lake.catalog_uri), "records", some.table(), commit_id or some.who)


def expected(puts: Iterable[Put]) -> dict[tuple[str, str], tuple[int, str]]:
    """Day and author of each key where days differ, whatever the order of the commits; else of the last."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for some in puts:
        for record_id in some.ids:
            key = (some.experiment, record_id)
            if key not in newest or some.day >= newest[key][0]:
                newest[key] = (some.day, some.who)
    return newest


def held(lake: LakePlace) -> dict[tuple[str, str], tuple[int, str]]:
    """Day and author of each key in the table; a key that is there twice is an error."""
    rows = read(lake, "records")
    found = {
        (row["experiment_id"], row["record_id"]): ((row["uploaded_at"] - START).days, dict(row["attributes"])["who"])
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def read(lake: LakePlace, name: str) -> list[dict[str, Any]]:
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), name)
    rows: list[dict[str, Any]] = table.scan().to_arrow().to_pylist()
    return rows


def data_files(lake: LakePlace, name: str = "records") -> list[str]:
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), name)
    return [task.file.file_path for task in table.scan().plan_files()]


def prediction(record_id: str | None, image_path: str | None, modality: str, day: int, label: str) -> dict[str, Any]:
    when = START + timedelta(days=day)
    return {
        "experiment_id": "pets",
        "record_id": record_id,
        "image_path": image_path,
        "label": label,
        "score": 0.5,
        "probabilities": {label: 0.5, "other": 0.5},
        "value": None,
        "modality": modality,
        "model": "m@1",
        "uploaded_at": when,
        "processed_at": when,
    }


def put_predictions(lake: LakePlace, rows: Sequence[dict[str, Any]], commit_id: str) -> None:
    table = pa.Table.from_pylist(list(rows), schema=PREDICTIONS.columns)
    commit_rows(open_catalog(lake.uri, lake.catalog_uri), "predictions", table, commit_id)


# ---- processes ----------------------------------------------------------------------------------------------------


def forks() -> ForkServerContext:
    """Processes that start with the imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def open_at_once(lake: LakePlace, barrier: Barrier, answers: Any) -> None:
    barrier.wait()
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    answers.put([str(load_table(catalog, name).metadata.table_uuid) for name in TABLES])


def put_at_once(lake: LakePlace, some: Put, barrier: Barrier) -> None:
    barrier.wait()
    put(lake, some)


def put_and_die(lake: LakePlace, some: Put, step: int) -> None:
    """Commit, and be killed at the `step`-th thing that another process could see."""
    _die_at(step, (fileio.LakeFile, "create"), (fileio._DurableFile, "close"), (SqlCatalog, "commit_table"))
    put(lake, some)


def _die_at(step: int, *methods: tuple[type, str]) -> None:
    steps = iter(range(1, step + 1))

    def tick() -> None:
        if next(steps, None) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in methods:
        _interrupt(owner, name, tick)


def _interrupt(owner: type, name: str, tick: Any) -> None:
    original = getattr(owner, name)

    def method(*arguments: Any, **named: Any) -> Any:
        tick()
        result = original(*arguments, **named)
        if owner is SqlCatalog:
            tick()
        return result

    setattr(owner, name, method)


def compact_and_die(execution: Execution, step: int) -> None:
    """Compact, and be killed before or after one of its commits."""
    _die_at(step, (SqlCatalog, "commit_table"))
    execution.compact()
