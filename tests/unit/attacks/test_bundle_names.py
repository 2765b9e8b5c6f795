"""A bundle names files that are not its own."""

import hashlib
from pathlib import Path

import pytest

from pixlake.bundles.folders import open_folder, read_folder
from pixlake.errors import BadBundle, BadRequest
from tests.unit.attacks.victims import Victim

SECRET = b"what only the victim may read"
DIGEST = hashlib.sha256(SECRET).hexdigest()

NAMES = [
    "../secret",
    "../../secret",
    "/etc/passwd",
    "..",
    ".",
    "",
    ".hidden",
    "a/b",
    "a\\..\\secret",
    "C:secret",
    "secret\n",
    "secret\x00",
    "secrét",
    "%2e%2e%2fsecret",
    "s3://bucket/secret",
    "x" * 256,
]


@pytest.fixture(autouse=True)
def secret(victim: Victim) -> Path:
    path = victim.folder.parent / "secret"
    path.write_bytes(SECRET)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_with_a_path_is_refused(victim: Victim, name: str) -> None:
    victim.rewrite(lambda document: document["files"].update({name: DIGEST}))
    assert "`key` in `$.files`" in victim.refuses()


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_name_with_a_path_is_refused(victim: Victim, name: str) -> None:
    victim.rewrite(lambda document: document.update(graph=name))
    assert "`$.graph`" in victim.refuses()


@pytest.mark.parametrize("name", NAMES)
def test_a_tokenizer_name_with_a_path_is_refused(victim: Victim, name: str) -> None:
    victim.rewrite(lambda document: document["text"]["input"].update(tokenizer=name))
    assert "`$.text.input.tokenizer`" in victim.refuses()


def test_a_symbolic_link_to_a_file_outside_is_refused(victim: Victim, secret: Path) -> None:
    (victim.folder / "loot").symlink_to(secret)
    victim.rewrite(lambda document: document["files"].update(loot=DIGEST))
    assert "loot: it is a link" in victim.refuses()


@pytest.mark.parametrize("target", ["../secret", "nowhere"])
def test_a_bundle_json_that_is_a_symbolic_link_is_refused(victim: Victim, target: str) -> None:
    (victim.folder / "bundle.json").unlink()
    (victim.folder / "bundle.json").symlink_to(target)
    assert "bundle.json: it is a link" in victim.refuses()


def test_a_folder_in_place_of_a_file_is_refused(victim: Victim) -> None:
    (victim.folder / "image.onnx").unlink()
    (victim.folder / "image.onnx").mkdir()
    (victim.folder / "image.onnx" / "inner").write_bytes(SECRET)
    assert "files are missing: ['image.onnx']" in victim.refuses()


def test_a_name_other_than_the_folders_is_refused(victim: Victim) -> None:
    victim.rewrite(lambda document: document.update(name="other"))
    assert "the name is 'other', the folder's is 'tiny'" in victim.refuses()


@pytest.mark.parametrize("name", [*NAMES, "x" * 101])
def test_a_name_that_is_none_of_a_folder_is_refused_wherever_the_bundle_lies(victim: Victim, name: str) -> None:
    victim.rewrite(lambda document: document.update(name=name))
    with pytest.raises(BadBundle, match="use 1 to 100 letters"):
        read_folder(victim.folder.as_uri())


@pytest.mark.parametrize("version", ["", "..", "../../tiny", "../secret", "0" * 11, "0" * 13, "ABCDEF012345"])
def test_a_version_that_is_none_is_refused_before_anything_is_read(victim: Victim, version: str) -> None:
    with pytest.raises(BadRequest, match="a version is 12 hex digits"):
        open_folder(victim.lake.uri, f"tiny@{version}")
