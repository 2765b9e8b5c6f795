"""What is good of an upload's tables: the files as they are, or written again without what would be rejected.

A row stays that is a record, or adds an image to one. In the image column a name stays that finds a good image; where
that column is the id, a row goes with its image.
"""

import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO
from urllib.parse import unquote

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from pixlake import storage
from pixlake.formats import extension
from pixlake.lake import Work
from pixlake.matching.join import Join
from pixlake.matching.references import References, find_taken
from pixlake.rejects import Reject
from pixlake.tables.tablefile import Rows, TableFile

Mask = NDArray[np.bool_]

_DELIMITERS = {"tsv": "\t", "tab": "\t", "psv": "|"}
_WORKBOOKS = ("xlsx", "xlsm")
_LINES = ("json", "jsonl", "ndjson")
_BATCH_ROWS = 10_000
_SPLITTING = re.compile(r"[;|,\[]")


@dataclass(frozen=True)
class CleanTable:
    """A table of the clean upload: the object at `uri`, or `columns` where it is written again."""

    path: str
    uri: str = ""
    columns: pa.Table | None = None

    def write(self, target: IO[bytes]) -> None:
        """Write it in the format that its path tells."""
        if self.columns is None:
            for chunk in storage.stream(self.uri):
                target.write(chunk)
        else:
            _write(self.columns, extension(self.path), target)


@dataclass(frozen=True)
class CleanTables:
    """The tables of the clean upload, how many names of images are taken out of their cells, and the places of rows
    that are left out because the image by which they are keyed is."""

    files: Sequence[CleanTable]
    names: int
    imageless: Sequence[str]

    @property
    def rewritten(self) -> list[str]:
        """The paths of those that are written again."""
        return [file.path for file in self.files if file.columns is not None]


def clean_tables(work: Work, found: Join, left_out: Sequence[Reject], broken: Collection[str]) -> CleanTables:
    """The tables of a joined upload, without the files `left_out` and the names of images that are `broken`."""
    clean = _clean_references(found, broken)
    kept, touched = clean.kept, clean.touched
    starts = np.cumsum([0, *(file.columns.num_rows for file in found.tables.files)]).tolist()
    taken = {file.path for file in found.tables.files}
    tables = []
    for path, uri in _list_tables(work):
        mine = [place for place, file in enumerate(found.tables.files) if _source(file, path)]
        rows = [slice(starts[place], starts[place + 1]) for place in mine]
        files = [found.tables.files[place] for place in mine]
        whole = not any(file.faults.count for file in files) and not any(_is_of(each, path) for each in left_out)
        if files and whole and all(kept[part].all() and not touched[part].any() for part in rows):
            tables.append(CleanTable(path, uri))
            continue
        for file, part in zip(files, rows, strict=True):
            good = clean.columns.slice(part.start, part.stop - part.start).select(file.columns.column_names)
            good = good.filter(pa.array(kept[part]))
            if good.num_rows:
                tables.append(CleanTable(_path(file, path, taken), columns=good))
    return CleanTables(tables, clean.names, found.tables.places(clean.imageless))


def _list_tables(work: Work) -> Iterator[tuple[str, str]]:
    """Path in the upload and URI of each."""
    for info in sorted(storage.list_objects(work.tables), key=lambda info: info.uri):
        yield unquote(info.uri.removeprefix(work.tables + "/")), info.uri


def _source(file: TableFile, path: str) -> bool:
    """Whether it was read from the file at this path: its only table, or a sheet of a workbook."""
    return file.path == path or (extension(path) in _WORKBOOKS and file.path.startswith(f"{path}!"))


def _is_of(reject: Reject, path: str) -> bool:
    return reject.source == path or reject.source.startswith(f"{path}!")


def _path(file: TableFile, source: str, taken: set[str]) -> str:
    """A path that no other table has. What was a sheet becomes a CSV, for which nobody keeps a workbook's formats."""
    if extension(source) not in _WORKBOOKS:
        return source
    sheet = re.sub(r"[^\w.-]+", "-", file.path.removeprefix(source).removeprefix("!"))
    stem = str(PurePosixPath(source).with_suffix("")) + (f"-{sheet}" if sheet else "")
    names = (f"{stem}{number}.csv" for number in ("", *(f"-{count}" for count in range(2, len(taken) + 3))))
    path = next(name for name in names if name not in taken)
    taken.add(path)
    return path


@dataclass(frozen=True)
class _Cleaning:
    """The tables' columns, which rows are kept, in which the names of images are others, how many names are gone, and
    the rows that go with the image by which they are keyed."""

    columns: pa.Table
    kept: Mask
    touched: Mask
    names: int = 0
    imageless: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def _clean_references(found: Join, broken: Collection[str]) -> _Cleaning:
    """Take out the names of images that find no good one. A row goes with them where it says nothing else: as its id is
    the image, or as it only adds an image to a record."""
    columns, references, kept = found.tables.columns, found.references, found.ranks >= 0
    nowhere = np.zeros(columns.num_rows, dtype=bool)
    if references is None or found.image_column is None:
        return _Cleaning(columns, kept, nowhere)
    bad = _find_bad(found, references, broken) & kept[references.rows]
    touched, empty = nowhere.copy(), nowhere.copy()
    touched[references.rows[bad]] = empty[references.rows[bad]] = True
    empty[references.rows[~bad]] = False
    if found.image_column == found.id_column:
        return _Cleaning(columns, kept & ~empty, nowhere, imageless=np.flatnonzero(empty))
    merged = nowhere.copy()
    merged[found.records.merged] = True
    changed = _without(columns[found.image_column].combine_chunks(), references, bad, touched)
    place = columns.schema.get_field_index(found.image_column)
    columns = columns.set_column(place, found.image_column, changed)
    return _Cleaning(columns, kept & ~(empty & merged), touched, int(bad.sum()))


def _find_bad(found: Join, references: References, broken: Collection[str]) -> Mask:
    is_broken = pc.is_in(found.joined.images["image_path"], value_set=pa.array(broken, pa.string())).to_numpy()
    bad: Mask = (references.images < 0) | find_taken(references, found.ranks)
    bad[~bad] = is_broken[references.images[~bad]]
    return bad


def _without(cells: pa.Array, references: References, bad: Mask, touched: Mask) -> pa.Array:
    """The cells, those that are touched with the names alone that are not bad."""
    names: dict[int, list[str]] = {row: [] for row in np.flatnonzero(touched).tolist()}
    left = np.flatnonzero(~bad & touched[references.rows])
    texts = references.texts.take(pa.array(left)).to_pylist()
    for row, text in zip(references.rows[left].tolist(), texts, strict=True):
        names[row].append(text)
    return pc.replace_with_mask(cells, pa.array(touched), pa.array(map(_cell, names.values()), pa.string()))


def _cell(names: Sequence[str]) -> str | None:
    if len(names) == 1 and not _SPLITTING.search(names[0]):
        return names[0]
    return msgspec.json.encode(names).decode() if names else None


def _write(columns: pa.Table, kind: str, target: IO[bytes]) -> None:
    if kind == "parquet":
        buffer = io.BytesIO()  # its writer asks for a place in the file, which a member of a zip does not tell
        pq.write_table(columns, buffer, compression="zstd")
        target.write(buffer.getbuffer())
    elif kind in _LINES:
        encoder = msgspec.json.Encoder()
        for batch in columns.to_batches(_BATCH_ROWS):
            target.write(encoder.encode_lines(batch.to_pylist()))
    else:
        # all in quotes, so that no value is taken for another dialect's
        options = arrow_csv.WriteOptions(delimiter=_DELIMITERS.get(kind, ","), quoting_style="all_valid")
        arrow_csv.write_csv(columns, target, options)
