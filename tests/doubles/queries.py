"""Queries answered in the tests' own process, for one of their own takes a second; tests/attacks have one."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest

from pixlake.iceberg.lakes import Lake
from pixlake.sql import limited
from pixlake.sql.limited import Limits, Plan, write_plan
from pixlake.sql.worker import Request, answer


def answer_here(monkeypatch: pytest.MonkeyPatch, spill: Path) -> None:
    """For as long as the patch is there; `spill` is a folder."""

    def write_rows(
        lake: Lake, sql: str, writer: str, target: IO[bytes], limits: Limits, plan: Plan | None = None
    ) -> None:
        with TemporaryDirectory(dir=spill) as folder:
            planned = "" if plan is None else write_plan(plan, Path(folder))
            where = str(lake.folder or lake.uri)
            answer(Request(sql, where, writer, limits.memory, folder, 1 << 30, planned), target)

    monkeypatch.setattr(limited, "write_rows", write_rows)
