"""Hypothesis sets no deadline: how long an example takes says nothing on a machine that does other things, too.

`--hypothesis-profile=quick` tries a quarter of the examples.
"""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.builders.executions import Execution, TableLake
    from tests.builders.reports import MakeExecution, ReportedExecution
    from tests.builders.split_inputs import Upload
    from tests.builders.tiny import BundleLake

settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a run often waits for processes that start."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def upload(tmp_path: Path) -> "Upload":
    """What Plan and Extract leave to Split."""
    from tests.builders.split_inputs import Upload

    return Upload(tmp_path)


@pytest.fixture
def bundle_lake(tmp_path: Path) -> "BundleLake":
    """A lake for model bundles and batches."""
    from tests.builders.tiny import BundleLake

    (tmp_path / "lake/models").mkdir(parents=True)
    return BundleLake(tmp_path / "lake")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder outside of any lake."""
    from tests.builders.tiny import BundleLake

    BundleLake(tmp_path / "elsewhere").embedder("tiny")
    return tmp_path / "elsewhere" / "models" / "tiny"


@pytest.fixture
def table_lake(tmp_path: Path) -> "TableLake":
    """A lake with tables, empty yet."""
    from tests.builders.executions import TableLake

    return TableLake(tmp_path)


@pytest.fixture
def execution(table_lake: "TableLake") -> "Execution":
    """What the steps before Compact leave to it."""
    from tests.builders.executions import Execution

    return Execution(table_lake)


@pytest.fixture
def make_execution(tmp_path: Path) -> "MakeExecution":
    """`build_execution` in a lake of its own."""
    from tests.builders.reports import build_execution

    return partial(build_execution, tmp_path)


@pytest.fixture
def reported(make_execution: "MakeExecution") -> "ReportedExecution":
    """What all steps leave to Report."""
    return make_execution()
