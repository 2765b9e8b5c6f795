"""An upload read as `pixlake run` reads it: unzipped, its tables read and joined with its images, by the same steps. So
a record is the same in training and in serving: the same rows, the same images, every value as text.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pixlake import rejects, storage
from pixlake.errors import BadRequest
from pixlake.formats import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension
from pixlake.lake import Work
from pixlake.matching.extracted import read_images
from pixlake.matching.join import Join, join
from pixlake.messages import ExtractRequest, Ingest, Options, PlanAnswer, PlanRequest, Shard
from pixlake.rejects import Reject
from pixlake.settings import ExtractSettings, PlanSettings
from pixlake.steps.extract import extract
from pixlake.steps.plan import plan
from pixlake.tables.union import read_tables

_NAME = "training"


@dataclass(frozen=True)
class Upload:
    """Table and images, joined; `options` are those asked for and those of the upload's `pixlake.json`; `left_out` are
    the rows for the table `rejects`."""

    join: Join
    options: Options
    left_out: tuple[Reject, ...]


def read_upload(path: Path, options: Options, work: Path) -> Upload:
    """The upload `path`: a zip, a folder, or a table with its images in folders beside it. `work` takes the images.

    Raises BadUpload, BadTable or BadRequest, as an execution would.
    """
    lake = f"file://{work.resolve()}"
    ingest = Ingest(_upload_uri(path, work), _NAME, options=options)
    now = datetime.now(UTC).isoformat()
    planned = plan(PlanRequest(_NAME, now, ingest), PlanSettings(lake))
    place = Work(lake, _NAME)
    _extract(planned, place)
    images = read_images(place, planned.shards.count)
    tables, unreadable = read_tables(place)
    joined = join(images, tables, planned.options)
    return Upload(joined, planned.options, (*_rejected(place), *unreadable, *joined.rejects()))


def _upload_uri(path: Path, work: Path) -> str:
    whole = path.resolve()
    if whole.is_dir():
        return f"file://{whole}/"
    if extension(path.name) == "zip":
        return f"file://{whole}"
    if extension(path.name) in TABLE_EXTENSIONS:
        return _list_neighbours(whole, work)
    raise BadRequest(f"{path}: give a zip, a folder, or a table ({', '.join(sorted(TABLE_EXTENSIONS))})")


def _list_neighbours(table: Path, work: Path) -> str:
    """A listing of the table and of all images in its folder and below; other tables there are left out."""
    files = [table, *_find_images(table.parent)]
    lines = [{"path": file.relative_to(table.parent).as_posix(), "uri": f"file://{file}"} for file in files]
    uri = f"file://{work.resolve()}/{_NAME}.listing.jsonl"
    storage.write(uri, msgspec.json.Encoder().encode_lines(lines))
    return uri


def _find_images(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root) / name for name in sorted(names) if extension(name) in IMAGE_EXTENSIONS)


def _extract(planned: PlanAnswer, place: Work) -> None:
    for shard in msgspec.json.decode(storage.read(place.shards), type=list[Shard]):
        extract(ExtractRequest(planned.run, shard), ExtractSettings(place.lake))


def _rejected(place: Work) -> Iterator[Reject]:
    """The rejects of Plan and Extract."""
    for info in storage.list_objects(storage.join(place.uri, "parts", "rejects")):
        yield from rejects.decode(storage.read(info.uri))
