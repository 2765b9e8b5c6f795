"""Pushes bundles into a lake and pulls them from it, so that a concurrent reader gets one version whole.

A version's files go into a folder of their own, `bundle.json` last; then `models/<name>/bundle.json`, one object,
replaced atomically, names that version. The replaced version stays, and so do files younger than a day: a run keeps the
version that it began with, and concurrent pushes delete nothing of each other.
"""

import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pixlake import storage
from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import MANIFEST, version
from pixlake.errors import BadRequest, MissingObject
from pixlake.lake import bundle_uri

_KEPT = timedelta(days=1)


def push_bundle(source: BundleFolder, lake_uri: str, *, moved: bool = False) -> None:
    """Make `source` the bundle of its name. Idempotent: it writes the same bytes to the same places. Files that nobody
    else has, and that were verified, may be `moved`.

    BadBundle if a file's checksum is not the one in `bundle.json`; the lake then serves the version that it served.
    """
    home = bundle_uri(lake_uri, source.description.name)
    replaced = _served(home)
    place = storage.join(home, source.version)
    for name in sorted(source.description.files):
        target = storage.join(place, name)
        if not (moved and storage.move(storage.join(source.uri, name), target)):
            storage.write_stream(target, source.stream(name))
    storage.write(storage.join(place, MANIFEST), source.document)
    storage.write(storage.join(home, MANIFEST), source.document)
    if replaced and replaced != source.version:
        storage.delete(list(_stale(home, {source.version, replaced})))


def pull_bundle(source: BundleFolder, folder: Path) -> None:
    """Copy the bundle into `folder`, which appears complete or not at all; BadRequest if something is there."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadRequest(f"{folder} is there already; name a new folder")
    incoming = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    incoming.mkdir(parents=True)
    try:
        for name in source.description.files:
            with (incoming / name).open("wb") as file:
                file.writelines(source.stream(name))
        (incoming / MANIFEST).write_bytes(source.document)
        incoming.rename(folder)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _served(home: str) -> str | None:
    """The version that the plain name serves, if any."""
    try:
        return version(storage.read(storage.join(home, MANIFEST)))
    except MissingObject:
        return None


def _stale(home: str, kept: set[str]) -> Iterator[str]:
    """The files of older versions, each `bundle.json` first: without it a folder is no bundle.

    Files beside the `bundle.json` belong to a bundle that was copied there; they are deleted one push later, like a
    version.
    """
    horizon = datetime.now(UTC) - _KEPT
    found = {info.uri.removeprefix(f"{home}/"): info for info in storage.list_objects(home)}
    plain = not kept <= {name.partition("/")[0] for name in found}
    for name in sorted(found, key=lambda name: (not name.endswith(f"/{MANIFEST}"), name)):
        folder, separator, _ = name.partition("/")
        used = folder in kept if separator else plain or name == MANIFEST
        if not used and found[name].last_modified < horizon:
            yield found[name].uri
