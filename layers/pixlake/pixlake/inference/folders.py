"""A bundle's folder in a lake: what it says it is, and its files, none of which is used unverified."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pixlake import storage
from pixlake.errors import BadBundle, MissingObject
from pixlake.inference.manifest import MANIFEST, Manifest, parse, version
from pixlake.lake import bundle_uri, check_identifier


@dataclass(frozen=True)
class BundleFolder:
    """A bundle that is described and complete; `model` is `name@version`, as the tables have it."""

    uri: str
    model: str
    manifest: Manifest

    def read(self, name: str) -> bytes:
        """One file's bytes, verified; BadBundle if they are not what `bundle.json` says."""
        data = storage.read(storage.join(self.uri, name))
        self._compare(name, hashlib.sha256(data).hexdigest())
        return data

    def verify(self, names: Iterable[str]) -> None:
        """Read files only for their checksums, a chunk at a time; BadBundle as in `read`."""
        for name in names:
            digest = hashlib.sha256()
            for chunk in storage.stream(storage.join(self.uri, name)):
                digest.update(chunk)
            self._compare(name, digest.hexdigest())

    def _compare(self, name: str, found: str) -> None:
        if found != self.manifest.files[name]:
            raise BadBundle(f"{self.uri}/{name}: its SHA-256 is {found}, not the one in {MANIFEST}; upload it again")


def open_folder(lake_uri: str, model: str) -> BundleFolder:
    """The bundle `name`, or `name@version`, under `models/` in the lake.

    Raises BadBundle if it is missing, damaged or incomplete, or no longer has the version asked for. Reads only
    `bundle.json` and the folder's listing, so that a step can name the model without loading it.
    """
    name, _, expected = model.partition("@")
    folder = read_folder(bundle_uri(lake_uri, check_identifier("bundle", name)))
    found = folder.model.rpartition("@")[2]
    if expected and found != expected:
        raise BadBundle(f"{folder.uri}: the bundle changed during the run: {expected} is now {found}; run again")
    if folder.manifest.name != name:
        raise BadBundle(f"{folder.uri}/{MANIFEST}: the name is {folder.manifest.name!r}, the folder's is {name!r}")
    return folder


def read_folder(uri: str) -> BundleFolder:
    """The bundle in any folder; BadBundle if it is missing, damaged or incomplete."""
    data = _read_manifest(uri)
    manifest = parse(data, f"{uri}/{MANIFEST}")
    _check_listing(uri, manifest)
    return BundleFolder(uri, f"{manifest.name}@{version(data)}", manifest)


def _read_manifest(uri: str) -> bytes:
    try:
        return storage.read(storage.join(uri, MANIFEST))
    except MissingObject as error:
        way_out = "`pixlake models push FOLDER` puts one into a lake"
        raise BadBundle(f"{uri}: there is no bundle here, for it has no {MANIFEST}; {way_out}") from error


def _check_listing(uri: str, manifest: Manifest) -> None:
    found = {info.uri.removeprefix(uri).lstrip("/") for info in storage.list_objects(uri)} - {MANIFEST}
    if missing := sorted(manifest.files.keys() - found):
        raise BadBundle(f"{uri}: files are missing: {missing}")
    if extra := sorted(found - manifest.files.keys()):
        raise BadBundle(f"{uri}: files that {MANIFEST} does not list: {extra[:5]}")
