"""Hypothesis sets no deadline: how long an example takes says nothing on a machine that does other things, too.

`--hypothesis-profile=quick` tries a quarter of the examples.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.builders.split_inputs import Upload
    from tests.builders.tiny import BundleLake

settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("untimed")


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
