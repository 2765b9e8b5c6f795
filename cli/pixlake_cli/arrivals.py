"""What of a folder is not in a lake yet, for `pixlake watch`: images and tables, by their sizes and times.

A file's time is when it came or changed here: one that is renamed, or copied with its old time, is as new as an object
that a bucket gets then.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pixlake import storage
from pixlake.iceberg.lakes import Lake
from pixlake.lake import Work
from pixlake.zips.entries import Kind
from pixlake.zips.listings import Gathered
from pixlake.zips.names import OPTIONS_NAME, classify

STABLE_SECONDS = 0.5
"""A file of which neither size nor time changed for so long is whole."""
_TAKEN = (Kind.IMAGE, Kind.TABLE)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """A file as it was seen. `time` is nanoseconds since 1970."""

    size: int
    time: int

    @property
    def came(self) -> datetime:
        return datetime.fromtimestamp(self.time // 1000 / 1_000_000, UTC)


Files = Mapping[str, State]
"""Files by their paths below the folder, with slashes."""


@dataclass(frozen=True)
class Known:
    """What a lake has of an experiment: when each image was uploaded, or rejected, and the newest record."""

    images: Mapping[str, datetime]
    newest_record: datetime = _NEVER

    def holds(self, path: str, state: State) -> bool:
        """Whether the file, as it is, has been through a run."""
        known = self.newest_record if classify(path) is Kind.TABLE else _NEVER
        return max(self.images.get(path, _NEVER), known) >= state.came


def scan(folder: Path) -> dict[str, State]:
    """The images and tables of a folder and of those below it; links are not followed, hidden files left out."""
    return dict(_walk(str(folder), ""))


def _walk(folder: str, below: str) -> Iterator[tuple[str, State]]:
    try:
        children = sorted(os.scandir(folder), key=lambda child: child.name)
    except OSError:  # it went away meanwhile
        return
    for child in children:
        path = f"{below}{child.name}"
        if child.is_dir(follow_symlinks=False):
            if not child.name.startswith("."):
                yield from _walk(child.path, f"{path}/")
        elif child.is_file(follow_symlinks=False) and child.name.isprintable() and classify(path) in _TAKEN:
            try:
                status = child.stat(follow_symlinks=False)
            except OSError:
                continue
            yield path, State(status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))


def find_new(files: Files, taken: Files, known: Known) -> dict[str, State]:
    """The files that no run has taken as they are."""
    return {path: state for path, state in files.items() if taken.get(path) != state and not known.holds(path, state)}


def wait_for_whole(folder: Path, new: Files, seconds: float = STABLE_SECONDS) -> dict[str, State]:
    """Those of the new files that are not being written: they are the same after a while."""
    time.sleep(seconds)
    after = scan(folder)
    return {path: state for path, state in new.items() if after.get(path) == state}


def read_known(lake: Lake, experiment_id: str) -> Known:
    """Nothing where there is no lake yet."""
    if lake.folder is None or not (lake.folder / "catalog.db").is_file():
        return Known({})
    # Iceberg takes half a second to import
    from pixlake.iceberg.catalog import connect, load_table
    from pixlake.iceberg.existing import read_alive
    from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS, REJECTS

    catalog = connect(lake.uri, lake.catalog_uri)
    images: dict[str, datetime] = {}
    for schema, name in ((EMBEDDINGS, "image_path"), (PREDICTIONS, "image_path"), (REJECTS, "source")):
        rows = read_alive(load_table(catalog, schema.name), schema, experiment_id, (name, "uploaded_at"))
        for path, moment in zip(rows[name].to_pylist(), rows["uploaded_at"].to_pylist(), strict=True):
            if path is not None:
                images[path] = max(images.get(path, moment), moment)
    records = read_alive(load_table(catalog, RECORDS.name), RECORDS, experiment_id, ("uploaded_at",))
    return Known(images, max(records["uploaded_at"].to_pylist(), default=_NEVER))


def write_gathered(lake: Lake, execution_id: str, folder: Path, files: Files) -> str:
    """The files as the upload of an execution; its URI."""
    uri = Work(lake.uri, execution_id).gathered
    lines = [Gathered(path, f"file://{folder}/{path}", state.came) for path, state in sorted(files.items())]
    options = Gathered(OPTIONS_NAME, f"file://{folder}/{OPTIONS_NAME}")
    storage.write(uri, msgspec.json.Encoder().encode_lines([options, *lines]))
    return uri


def describe(files: Files) -> str:
    """Their number, or their name."""
    names: Sequence[str] = sorted(files)
    return names[0] if len(names) == 1 else f"{len(names):,} files"
