"""The decisions of Split in their order: which columns, which rows are records, which images are theirs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixlake.matching.choices import choose_columns
from pixlake.matching.joined import Joined
from pixlake.matching.keyed import Keyed
from pixlake.matching.loosely import PathNames, match_paths, parse_paths
from pixlake.matching.names import Matches, Positions
from pixlake.matching.pieces import whole
from pixlake.matching.profiles import Profile
from pixlake.matching.records import Records, select_records
from pixlake.matching.references import AMBIGUOUS, MISSING, References, find_taken, match_references
from pixlake.matching.repeats import agreeing, counts_images, differences
from pixlake.messages import Options
from pixlake.rejects import Reject, Stage
from pixlake.tables.union import Tables, and_more

# Rows of a table that are named for one reason; the others are counted.
NAMED = 100_000
_SHOWN = 1_000  # characters of what a cell or a header holds


@dataclass(frozen=True)
class Join:
    """Table and images joined, with what it took to do so; `known` where the experiment had records before, `complete`
    where the upload is all of it from now on."""

    joined: Joined
    tables: Tables
    records: Records
    id_column: str | None
    id_column_why: str
    image_column: str | None
    references: References | None
    left_out: tuple[Reject, ...]
    doubtful: bool = False
    image_column_told: bool = False
    known: bool = False
    complete: bool = False

    @cached_property
    def ranks(self) -> Positions:
        """For each row of the tables its record, -1 for none."""
        return self.records.ranks(self.tables.columns.num_rows)

    def rejects(self) -> Iterator[Reject]:
        """What of the tables is not used, and why."""
        yield from self.left_out
        yield from self.tables.faults()
        yield from self._empty_ids()
        yield from self._duplicate_ids()
        yield from self._unresolved()

    def _empty_ids(self) -> Iterator[Reject]:
        named, more = self.tables.first_of(self.records.empty, NAMED)
        for place in self.tables.places(self.records.empty[named]):
            yield Reject(place, Stage.SPLIT, "empty_id", f"the row has no value in the id column {self.id_column!r}")
        yield from _counted("empty_id", more)

    def _duplicate_ids(self) -> Iterator[Reject]:
        named, more = self.tables.first_of(self.records.repeated, NAMED)
        rows, firsts = self.records.repeated[named], self.records.firsts[named]
        if not len(rows):
            return
        column = self.tables.columns[self.id_column]
        ids = (column[row].as_py()[:_SHOWN] for row in rows.tolist())
        differ = self._differences(replace(self.records, repeated=rows, firsts=firsts))
        places = self.tables.places(np.concatenate([rows, firsts]))
        for place, first, name, words in zip(places[: len(rows)], places[len(rows) :], ids, differ, strict=True):
            detail = f"the id {name!r} is taken by {first}, which stays{words}"
            yield Reject(place, Stage.SPLIT, "duplicate_id", detail)
        yield from _counted("duplicate_id", more)

    def _differences(self, records: Records) -> list[str]:
        """For each repeated row of a table whose rows name images, in which columns it differs from the first."""
        if self.references is None:
            return [""] * len(records.repeated)
        others = [name for name in self.tables.columns.column_names if name not in (self.id_column, self.image_column)]
        listed = differences(self.tables.columns.select(others), records)
        return [f"; it differs in {', '.join(map(repr, names))}"[:_SHOWN] if names else "" for names in listed]

    @property
    def _keeps(self) -> str:
        if not self.known:
            return ""
        if self.complete:
            return ", which is the whole experiment: the record is without it"
        return "; a record that the lake has keeps its images there unless this upload brings others"

    def _unresolved(self) -> Iterator[Reject]:
        if self.references is None:
            return
        kept, images = self.ranks[self.references.rows] >= 0, self.references.images
        for unresolved, reason, words in (
            (kept & (images == MISSING), "image_not_found", f"no image of the upload fits{self._keeps}"),
            (kept & (images == AMBIGUOUS), "ambiguous_image", "several images of the upload fit equally well"),
            (find_taken(self.references, self.ranks), "image_taken", "another record has it, and an image has one"),
        ):
            here = np.flatnonzero(unresolved)
            # one a cell: the key of a reject does not tell the names in it apart
            rows = np.unique(self.references.rows[here])
            named, more = self.tables.first_of(rows, NAMED)
            here = here[np.isin(self.references.rows[here], rows[named])]
            texts = (self.references.texts[place].as_py()[:_SHOWN] for place in here.tolist())
            found = zip(self.references.rows[here].tolist(), texts, strict=True)
            cells = (listed for _, listed in groupby(found, itemgetter(0)))
            for place, cell in zip(self.tables.places(rows[named]), cells, strict=True):
                listed = ", ".join(repr(text) for _, text in cell)[:_SHOWN]
                yield Reject(place, Stage.SPLIT, reason, f"{self.image_column!r} names {listed}: {words}")
            yield from _counted(reason, more)


def _counted(reason: str, more: Mapping[str, int]) -> Iterator[Reject]:
    return (and_more(path, reason, count) for path, count in more.items())


def join(images: pa.Table, tables: Tables, options: Options, keyed: Keyed | None = None) -> Join:
    """Join the upload's images (sorted by path) with its tables as `options` say, or as the data do.

    `keyed` is what the experiment remembers. Raises BadTable where a column that is named is not there, or none can be
    the id, and BadUpload where the experiment's id column is not there or is no key.
    """
    paths = _column(images, "image_path")
    names = parse_paths(paths)
    if not tables.files:
        records = select_records(pa.array([], pa.string()))
        joined = Joined(records.ids, records.rows, tables.columns, None, images, match_paths(names, records.ids))
        return Join(joined, tables, records, None, "the upload has no table", None, None, ())
    chosen = choose_columns(tables, paths, names, options, keyed)
    tables, id_column = chosen.tables, chosen.id.column
    records = select_records(_column(tables.columns, id_column))
    image_column, references = chosen.images or (None, None)
    if references is not None:
        records = records.merge(_further_images(tables.columns, records, id_column, image_column))
    if keyed is not None and options.id_column is None:
        keyed.check_key(tables.columns.num_rows, records)
    matches = _match(names, records, references, tables.columns.num_rows)
    joined = Joined(records.ids, records.rows, tables.columns, id_column, images, matches)
    by_case = matches.by_case if references is None else references.by_case
    why = f"{chosen.id.why}; {by_case:,} images found by names in another case" if by_case else chosen.id.why
    return Join(
        joined,
        tables,
        records,
        id_column,
        why,
        image_column,
        references,
        chosen.left_out,
        chosen.id.doubtful,
        image_column_told=options.image_column is not None,
        known=keyed is not None,
        complete=bool(options.complete),
    )


def _match(names: PathNames, records: Records, references: References | None, rows: int) -> Matches:
    if references is None:
        return match_paths(names, records.ids)
    return match_references(references, records.ranks(rows), len(records.ids), len(names.places))


def _further_images(columns: pa.Table, records: Records, id_column: str, image_column: str | None) -> NDArray[np.bool_]:
    """The repeated rows that name an image and else say what the first row of their id says."""
    others = [name for name in columns.column_names if name not in (id_column, image_column)]
    profiles = [Profile(name, columns[name], columns.num_rows) for name in others]
    # as in the search for a repeated id: an index, or another name of the image, differs from row to row anyway
    things = [each for each in profiles if not (each.row_number or each.names_images or counts_images(each, records))]
    same = agreeing((each.values for each in things), records)
    cells = columns[image_column].take(pa.array(records.repeated))
    chosen: NDArray[np.bool_] = same & cells.is_valid().to_numpy()
    return chosen


def _column(table: pa.Table, name: str) -> pa.Array:
    """One column in one piece: ids and paths stay below the 2 GiB that a piece of text may have."""
    return whole(table[name])
