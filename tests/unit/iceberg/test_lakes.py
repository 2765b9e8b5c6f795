"""What is given as `--lake`."""

from pathlib import Path

import pytest

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.lakes import Lake


def test_a_relative_lake_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lake = Lake.at("../my lake")
    assert lake == Lake(f"file://{tmp_path}/my lake", f"sqlite:///{tmp_path}/my lake/catalog.db", tmp_path / "my lake")
    storage.write(storage.join(lake.uri, "a"), b"1")
    assert (tmp_path / "my lake" / "a").read_bytes() == b"1"


def test_a_lake_that_was_moved_is_refused(tmp_path: Path) -> None:
    made = Lake.at(str(tmp_path / "here"))
    open_catalog(made.uri, made.catalog_uri)
    assert made.existing() == made
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(BadRequest, match=f"was made at {made.uri}"):
        Lake.at(str(tmp_path / "there")).existing()


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7f"])
def test_a_path_with_control_characters_is_refused_and_no_folder_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="control character"):
        Lake.at(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []
