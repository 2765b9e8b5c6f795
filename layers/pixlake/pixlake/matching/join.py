"""The decisions of Split in their order: which columns, which rows are records, which images are theirs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa

from pixlake.matching.columns import Choice, Profile, check_column, choose_id, choose_images
from pixlake.matching.joined import Joined
from pixlake.matching.names import ImageNames, match_names, parse_names
from pixlake.matching.records import Records, select_records
from pixlake.matching.references import AMBIGUOUS, MISSING, References, match_references
from pixlake.messages import Options
from pixlake.rejects import Reject, Stage
from pixlake.tables.union import Tables


@dataclass(frozen=True)
class Join:
    """Table and images joined, with what it took to do so."""

    joined: Joined
    tables: Tables
    records: Records
    id_column: str | None
    id_column_why: str
    image_column: str | None
    references: References | None
    left_out: tuple[Reject, ...]

    def rejects(self) -> Iterator[Reject]:
        """What of the tables is not used, and why."""
        yield from self.left_out
        yield from self.tables.faults()
        yield from self._empty_ids()
        yield from self._duplicate_ids()
        yield from self._unresolved()

    def _empty_ids(self) -> Iterator[Reject]:
        for place in self.tables.places(self.records.empty):
            yield Reject(place, Stage.SPLIT, "empty_id", f"the row has no value in the id column {self.id_column!r}")

    def _duplicate_ids(self) -> Iterator[Reject]:
        rows, firsts = self.records.repeated, self.records.firsts
        if not len(rows):
            return
        ids = self.tables.columns[self.id_column].take(pa.array(rows)).to_pylist()
        for place, first, name in zip(self.tables.places(rows), self.tables.places(firsts), ids, strict=True):
            yield Reject(place, Stage.SPLIT, "duplicate_id", f"the id {name!r} is taken by {first}, which stays")

    def _unresolved(self) -> Iterator[Reject]:
        if self.references is None:
            return
        kept = self.records.ranks(self.tables.columns.num_rows)[self.references.rows] >= 0
        for code, reason, words in (
            (MISSING, "image_not_found", "no image of the upload fits"),
            (AMBIGUOUS, "ambiguous_image", "several images of the upload fit equally well"),
        ):
            here = np.flatnonzero(kept & (self.references.images == code))
            texts = self.references.texts.take(pa.array(here)).to_pylist()
            found = zip(self.tables.places(self.references.rows[here]), texts, strict=True)
            # one a cell: the key of a reject does not tell the names in it apart
            for place, named in groupby(found, itemgetter(0)):
                listed = ", ".join(repr(text) for _, text in named)
                yield Reject(place, Stage.SPLIT, reason, f"{self.image_column!r} names {listed}: {words}")


def join(images: pa.Table, tables: Tables, options: Options) -> Join:
    """Join the upload's images (sorted by path) with its tables as `options` say, or as the data do.

    Raises BadTable where a column that is named is not there, or none can be the id.
    """
    paths = _column(images, "image_path")
    names = parse_names(paths)
    if not tables.files:
        records = select_records(pa.array([], pa.string()))
        joined = Joined(records.ids, records.rows, tables.columns, None, images, match_names(names, records.ids))
        return Join(joined, tables, records, None, "the upload has no table", None, None, ())
    chosen = _choose(tables, paths, names, options)
    tables, id_column = chosen.tables, chosen.id.column
    records = select_records(_column(tables.columns, id_column))
    image_column, references = chosen.images or (None, None)
    if references is None:
        matches = match_names(names, records.ids)
    else:
        ranks = records.ranks(tables.columns.num_rows)
        matches = match_references(references, ranks, len(records.ids), len(paths))
    joined = Joined(records.ids, records.rows, tables.columns, id_column, images, matches)
    return Join(joined, tables, records, id_column, chosen.id.why, image_column, references, chosen.left_out)


@dataclass(frozen=True)
class _Choices:
    """The columns chosen, the files that have the id column, and a reject for each other file."""

    id: Choice
    images: tuple[str, References] | None
    tables: Tables
    left_out: tuple[Reject, ...]


def _choose(tables: Tables, paths: pa.Array, names: ImageNames, options: Options) -> _Choices:
    columns = tables.columns.column_names
    for option in ("id_column", "image_column", "label_column"):
        check_column(columns, option, getattr(options, option))
    choice, named = _choose_columns(tables, paths, names, options)
    kept = tables.with_column(choice.column)
    if kept is not tables and named is not None:
        # the rows are others now, and what named images may be gone with a file
        known = named[0] in kept.columns.column_names
        named = choose_images(kept.columns, paths, named[0]) if known else None
    left_out = tuple(
        Reject(
            file.path,
            Stage.SPLIT,
            "no_id_column",
            f"it has no column {choice.column!r}, so its {file.columns.num_rows:,} rows name no record",
        )
        for file in tables.files
        if choice.column not in file.columns.column_names
    )
    return _Choices(choice, named, kept, left_out)


def _choose_columns(
    tables: Tables, paths: pa.Array, names: ImageNames, options: Options
) -> tuple[Choice, tuple[str, References] | None]:
    """The id column, and the image column if there is one; one that nobody named must find as many images as the ids
    do, for it may name but one of several images of a record."""
    profiles = [Profile(name, tables.columns[name], tables.rows_with(name)) for name in tables.columns.column_names]
    named = choose_images(tables.columns, paths, options.image_column)
    if named is None:
        return choose_id(profiles, names, options.id_column, None), None
    if options.image_column is None:
        rival = choose_id(profiles, names, options.id_column, None)
        ids = select_records(_column(tables.columns, rival.column)).ids
        if match_names(names, ids).matched > named[1].matched:
            return rival, None
    choice = choose_id(profiles, names, options.id_column, named[0])
    return Choice(choice.column, f"{choice.why}; {named[0]!r} names {named[1].matched:,} images"), named


def _column(table: pa.Table, name: str) -> pa.Array:
    """One column in one piece: ids and paths stay below the 2 GiB that a piece of text may have."""
    return table[name].combine_chunks()
