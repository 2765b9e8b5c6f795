"""What is given as `--lake`."""

from pathlib import Path

import pytest

from pixlake import storage
from pixlake_cli.lakes import Lake


def test_a_relative_lake_is_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lake = Lake.at("../my lake")
    assert lake == Lake(f"file://{tmp_path}/my lake", f"sqlite:///{tmp_path}/my lake/catalog.db", tmp_path / "my lake")
    storage.write(storage.join(lake.uri, "a"), b"1")
    assert (tmp_path / "my lake" / "a").read_bytes() == b"1"
