"""One suite over a folder and S3: a model pushed, replaced, loaded by name and by version, and pulled."""

from pathlib import Path
from typing import Any

import pytest

from pixlake import storage
from pixlake.bundles.folders import BundleFolder, open_folder, read_folder
from pixlake.bundles.transfers import pull_bundle, push_bundle
from pixlake.errors import BadBundle
from pixlake.inference.loaded import load_embedder
from tests.builders import tiny
from tests.contract.places import LakePlace


def make(folder: Path, **changes: Any) -> BundleFolder:
    """A bundle outside of the lake."""
    tiny.BundleLake(folder).embedder(**changes)
    return read_folder((folder / "models" / "tiny").as_uri())


def test_a_replaced_version_is_kept_whole(lake_place: LakePlace, tmp_path: Path) -> None:
    older, newer = make(tmp_path / "older"), make(tmp_path / "newer", source={"origin": "retrained"})
    for source in (older, newer, newer):
        push_bundle(source, lake_place.uri)
    assert load_embedder(lake_place.uri, "tiny", 1).model == newer.model
    assert load_embedder(lake_place.uri, older.model, 1).embed_texts(["red"]).shape == (1, 4)


def test_a_copied_bundle_is_served_until_one_is_pushed(lake_place: LakePlace, tmp_path: Path) -> None:
    source = make(tmp_path / "copied")
    for path in (tmp_path / "copied" / "models" / "tiny").iterdir():
        storage.write(f"{lake_place.uri}/models/tiny/{path.name}", path.read_bytes())
    assert open_folder(lake_place.uri, source.model).uri.endswith("/models/tiny")
    pushed = make(tmp_path / "pushed", source={"origin": "retrained"})
    push_bundle(pushed, lake_place.uri)
    assert open_folder(lake_place.uri, "tiny").uri.endswith(f"/models/tiny/{pushed.version}")
    with pytest.raises(BadBundle, match="changed during the run"):
        open_folder(lake_place.uri, source.model)


def test_a_pulled_bundle_equals_the_pushed_one(lake_place: LakePlace, tmp_path: Path) -> None:
    source = make(tmp_path / "made")
    push_bundle(source, lake_place.uri)
    pull_bundle(open_folder(lake_place.uri, "tiny"), tmp_path / "copy")
    pulled = read_folder((tmp_path / "copy").as_uri())
    assert (pulled.document, pulled.sizes) == (source.document, source.sizes)
    pulled.verify(pulled.manifest.files)


def test_a_missing_model_is_refused_by_name_and_by_version(lake_place: LakePlace) -> None:
    for model in ("tiny", "tiny@0123456789ab"):
        with pytest.raises(BadBundle, match="there is no bundle here"):
            open_folder(lake_place.uri, model)
