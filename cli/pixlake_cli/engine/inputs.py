"""Turns the paths of `pixlake run` into uploads: one for each zip or folder, one for all loose files together."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake.lake import check_identifier


@dataclass(frozen=True)
class Upload:
    """One execution's input. `shown` is the name that the user gave it."""

    uri: str
    experiment_id: str
    shown: str


def find_uploads(paths: Sequence[Path], lake: Path, experiment: str | None) -> list[Upload]:
    """The uploads behind `paths`, in their order, loose files last: their listing is written into the lake."""
    found, loose = [], []
    for path in paths:
        path = _absolute(path)
        if not path.is_dir() and not path.is_file():
            raise BadRequest(f"{path} is neither a file nor a folder: a pipe or a device has no end to wait for")
        if path.is_dir():
            if lake.is_relative_to(path):
                raise BadRequest(f"{path} holds the lake {lake}: give a folder that holds only the upload")
            found.append(Upload(f"file://{path}/", _experiment(experiment, path.name), str(path)))
        elif path.suffix.lower() == ".zip" or path.name.endswith(".listing.jsonl"):
            name = path.name.partition(".")[0] if path.name.endswith(".jsonl") else path.stem
            found.append(Upload(f"file://{path}", _experiment(experiment, name), str(path)))
        else:
            loose.append(path)
    return found + ([_gather(loose, lake, experiment)] if loose else [])


def _gather(paths: Sequence[Path], lake: Path, experiment: str | None) -> Upload:
    """A listing of loose files. It is named by its content, so the same files make the same upload."""
    root = Path(os.path.commonpath([path.parent for path in paths]))
    name = _experiment(experiment, root.name)
    unique = sorted({path.relative_to(root).as_posix(): f"file://{path}" for path in paths}.items())
    lines = msgspec.json.Encoder().encode_lines([{"path": path, "uri": uri} for path, uri in unique])
    digest = hashlib.sha256(lines).hexdigest()[:16]
    uri = storage.join(f"file://{lake}", "uploads", name, f"{digest}.listing.jsonl")
    storage.write(uri, lines)
    return Upload(uri, name, f"{len(unique)} files of {root}")


def _absolute(path: Path) -> Path:
    """The absolute path without `..`, which no URI takes; a link keeps its own name."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


def _experiment(given: str | None, name: str) -> str:
    """The experiment asked for, or one made of a file's name."""
    if given is not None:
        return check_identifier("experiment", given)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-").rstrip("-")[:100]
    return plain or "upload"
