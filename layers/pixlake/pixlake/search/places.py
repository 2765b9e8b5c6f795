"""Where the indexes of a lake's data files are: below `indexes/` of a folder, else in this user's cache."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pixlake import storage
from pixlake.search.published import Published

NEW = ".new"
"""The suffix of a file that is being written."""
_LONGEST_WRITE = 3600.0
"""Seconds after which such a file is a leftover."""


def index_name(data_file: str) -> str:
    """What the files of its indexes are called but for their suffixes."""
    return data_file.rpartition("/")[2].removesuffix(".parquet")


def user_cache() -> Path:
    """The folder for this user's indexes, below that of the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pixlake" / "indexes"


@dataclass(frozen=True)
class IndexPlaces:
    """The places for one lake; `cache` is a folder for those that the lake itself does not hold. Where they are
    `shared`, a bucket holds them, too."""

    lake_uri: str
    cache: Path | None = None
    shared: bool = False

    def folders(self) -> Iterator[Path]:
        """The folder in the lake, if that is one, and that in the cache; each with a folder a model."""
        home = storage.local_path(self.lake_uri)
        if home is not None:
            yield home / "indexes"
        if self.cache is not None:
            yield self.cache / sha256(self.lake_uri.encode()).hexdigest()[:32]

    def published(self, model: str, name: str) -> Published | None:
        """Where others find the index of this name; None for a lake in a folder, which holds it itself."""
        if not self.shared or storage.local_path(self.lake_uri) is not None:
            return None
        place = storage.join(self.lake_uri, "indexes", model, name)
        return Published(f"{place}.arrow", f"{place}.f32")

    def prune(self, data_files: Collection[str]) -> int:
        """Delete the indexes of all but these data files; how many files that were. Who has one open keeps it."""
        kept = {index_name(path) for path in data_files}
        gone = [file for folder in self.folders() for file in folder.glob("*/*") if not _is_wanted(file, kept)]
        for file in gone:
            with suppress(PermissionError):
                file.unlink(missing_ok=True)
        return len(gone)


def _is_wanted(file: Path, kept: Collection[str]) -> bool:
    """Whether it belongs to one of these data files, or is being written."""
    if file.suffix == NEW:
        with suppress(FileNotFoundError):
            return time.time() - file.stat().st_mtime < _LONGEST_WRITE
    return file.stem in kept
