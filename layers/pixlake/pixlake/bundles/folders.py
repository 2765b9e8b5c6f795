"""A bundle's folder: its manifest and its files, each verified before use.

In a lake `models/<name>/bundle.json` says which version is served. A pushed version's files have a folder of their own,
`models/<name>/<version>/`, so versions never mix, and a run keeps the version that it began with; a bundle that was
only copied there has its files beside its `bundle.json`.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pixlake import storage
from pixlake.bundles.demo import is_demo, is_shipped
from pixlake.bundles.manifest import MANIFEST, Manifest, version
from pixlake.bundles.parsing import LARGEST_MANIFEST, parse
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import BadBundle, BadRequest, MissingObject
from pixlake.lake import bundle_uri, check_identifier

_VERSION = re.compile("[0-9a-f]{12}")
_PUSHED = re.compile(f"{_VERSION.pattern}/")
# protobuf's limit, more than any tokenizer needs, and all the memory of a Lambda function
_LARGEST_GRAPH = 2 << 30
_LARGEST_TOKENIZER = 64 << 20
_LARGEST_BUNDLE = 10 << 30


@dataclass(frozen=True)
class BundleFolder:
    """A complete bundle; `model` is `name@version`, as in the tables.

    `document` is `bundle.json`'s bytes, `description` their content, `sizes` the bytes of each other file.
    """

    uri: str
    model: str
    description: Manifest | PredictorManifest
    document: bytes = field(repr=False)
    sizes: Mapping[str, int] = field(repr=False)

    @property
    def manifest(self) -> Manifest:
        """The manifest of a bundle of graphs; BadBundle for one that only AutoGluon can run."""
        if isinstance(self.description, PredictorManifest):
            raise BadBundle(f"{self.uri}: {self.model} holds pickles, which only the AutoGluon container runs")
        return self.description

    @property
    def version(self) -> str:
        return self.model.rpartition("@")[2]

    @property
    def pushed(self) -> bool:
        """Whether the folder is this version's own, whose files are never rewritten."""
        return self.uri.endswith(f"/{self.version}")

    @property
    def demo(self) -> bool:
        """Whether it is a demo model, or was made of one."""
        return is_demo(self.description.source)

    @property
    def shipped(self) -> bool:
        """Whether it came with Pixlake, or was made of one that did."""
        return is_shipped(self.description.source)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return len(self.document) + sum(self.sizes.values())

    def read(self, name: str) -> bytes:
        """One file's bytes, verified; BadBundle if their checksum is not the one in `bundle.json`."""
        data = storage.read(storage.join(self.uri, name))
        self._compare(name, hashlib.sha256(data).hexdigest())
        return data

    def stream(self, name: str) -> Iterator[memoryview]:
        """One file's bytes in chunks, verified after the last: BadBundle as in `read`."""
        digest = hashlib.sha256()
        for chunk in storage.stream(storage.join(self.uri, name)):
            digest.update(chunk)
            yield chunk
        self._compare(name, digest.hexdigest())

    def verify(self, names: Iterable[str]) -> None:
        """Read files only for their checksums, a chunk at a time; BadBundle as in `read`."""
        for name in names:
            self._compare(name, storage.sha256(storage.join(self.uri, name)))

    def _compare(self, name: str, found: str) -> None:
        if found != self.description.files[name]:
            raise BadBundle(f"{self.uri}/{name}: its SHA-256 is {found}, not the one in {MANIFEST}; upload it again")


def find_bundle(model: str, lake_uri: str | None) -> BundleFolder:
    """The bundle in a local folder if `model` has a /, else the one of that name in the lake.

    Raises BadRequest for a name without a lake, and BadBundle as `open_folder` and `read_folder` do.
    """
    if "/" in model:
        return read_folder(f"file://{Path(model).resolve()}")
    if lake_uri is None:
        raise BadRequest(f"{model!r} is a name, which needs --lake; a folder here is ./{model}")
    return open_folder(lake_uri, model)


def split_model(model: str) -> tuple[str, str]:
    """The name of `name` or `name@version`, and the version or ""; BadRequest for what cannot be a part of a path."""
    name, at, expected = model.partition("@")
    if at and not _VERSION.fullmatch(expected):
        raise BadRequest(f"bundle {model!r}: a version is 12 hex digits, as `pixlake models list` shows them")
    return check_identifier("bundle", name), expected


def open_folder(lake_uri: str, model: str) -> BundleFolder:
    """The bundle `name`, or `name@version`, under `models/` in the lake.

    Raises BadBundle if it is missing, damaged or incomplete, or no longer has the version asked for, and BadRequest as
    `split_model` does. Reads only
    `bundle.json` and the folder's listing, so that a step can name the model without loading it.
    """
    name, expected = split_model(model)
    home = bundle_uri(lake_uri, name)
    pushed = storage.join(home, expected or version(_read_manifest(home)))
    folder = read_folder(pushed if storage.exists(storage.join(pushed, MANIFEST)) else home)
    if expected and folder.version != expected:
        found = folder.version
        raise BadBundle(f"{folder.uri}: the bundle changed during the run: {expected} is now {found}; run again")
    if folder.description.name != name:
        raise BadBundle(f"{folder.uri}/{MANIFEST}: the name is {folder.description.name!r}, the folder's is {name!r}")
    return folder


def read_folder(uri: str) -> BundleFolder:
    """The bundle in any folder; BadBundle if it is missing, damaged or incomplete."""
    data = _read_manifest(uri)
    manifest = parse(data, f"{uri}/{MANIFEST}")
    found = {info.uri.removeprefix(uri).lstrip("/"): info.size for info in storage.list_objects(uri)}
    sizes = {name: size for name, size in found.items() if name != MANIFEST and not _PUSHED.match(name)}
    _check_names(uri, manifest, sizes)
    _check_sizes(uri, manifest, sizes)
    return BundleFolder(uri, f"{manifest.name}@{version(data)}", manifest, data, sizes)


def _read_manifest(uri: str) -> bytes:
    path = storage.join(uri, MANIFEST)
    try:
        _check_plain(path)
        if storage.head(path).size > LARGEST_MANIFEST:
            raise BadBundle(f"{path}: it is larger than {LARGEST_MANIFEST >> 20} MiB")
        return storage.read(path)
    except MissingObject as error:
        way_out = "`pixlake models push FOLDER` puts one into a lake"
        raise BadBundle(f"{uri}: there is no bundle here, for it has no {MANIFEST}; {way_out}") from error


def _check_names(uri: str, manifest: Manifest | PredictorManifest, found: Mapping[str, int]) -> None:
    if missing := sorted(manifest.files.keys() - found.keys()):
        raise BadBundle(f"{uri}: files are missing: {missing}")
    if extra := sorted(found.keys() - manifest.files.keys()):
        raise BadBundle(f"{uri}: files that {MANIFEST} does not list: {extra[:5]}")
    for name in manifest.files:
        _check_plain(storage.join(uri, name))


def _check_sizes(uri: str, manifest: Manifest | PredictorManifest, sizes: Mapping[str, int]) -> None:
    """Check sizes before anything is read into memory."""
    limits: dict[str, int] = {}
    if isinstance(manifest, Manifest):
        limits = dict.fromkeys(manifest.graphs, _LARGEST_GRAPH) | dict.fromkeys(manifest.tokenizers, _LARGEST_TOKENIZER)
    for name, limit in limits.items():
        if sizes[name] > limit:
            raise BadBundle(f"{uri}/{name}: it has {sizes[name]:,} bytes, more than {limit:,}")
    if sum(sizes.values()) > _LARGEST_BUNDLE:
        raise BadBundle(f"{uri}: its files have {sum(sizes.values()):,} bytes, more than {_LARGEST_BUNDLE:,}")


def _check_plain(uri: str) -> None:
    """Refuse links: a target may lie outside of the folder, and may change."""
    path = storage.local_path(uri)
    if path is not None and path.is_symlink():
        raise BadBundle(f"{uri}: it is a link, where a bundle has plain files; copy the file itself")
