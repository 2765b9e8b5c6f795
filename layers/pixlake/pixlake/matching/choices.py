"""The columns of an upload's tables that ids and images are taken from, and the files that are left out for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from pixlake.errors import BadTable
from pixlake.matching.columns import Choice, check_column, choose_id, choose_images
from pixlake.matching.keyed import Keyed
from pixlake.matching.kinds import Columns
from pixlake.matching.loosely import PathNames, match_paths
from pixlake.matching.pieces import whole
from pixlake.matching.profiles import Profile
from pixlake.matching.records import select_records
from pixlake.matching.references import References
from pixlake.messages import Options
from pixlake.rejects import Reject, Stage
from pixlake.tables.union import Tables

Named = tuple[str, References]
"""The column that names images, with what it names."""


@dataclass(frozen=True)
class Choices:
    """The columns chosen, the files that have the id column, and a reject for each other file."""

    id: Choice
    images: Named | None
    tables: Tables
    left_out: tuple[Reject, ...]


def choose_columns(tables: Tables, paths: pa.Array, names: PathNames, options: Options, keyed: Keyed | None) -> Choices:
    """What `options` say, else what the experiment remembers, else what names and values tell.

    Raises BadTable where a column that is named is not there, or none can be the id, and BadUpload where the
    experiment's id column is another one, or is not there.
    """
    columns = tables.columns.column_names
    for option in ("id_column", "image_column", "label_column"):
        check_column(columns, option, getattr(options, option))
    if keyed is not None:
        keyed.check_column(options.id_column, columns)
    choice, named = _choose(tables, paths, names, options, keyed)
    kept = tables.with_column(choice.column)
    if kept is not tables and named is not None:
        # the rows are others now, and what named images may be gone with a file
        known = named[0] in kept.columns.column_names
        named = choose_images(kept.columns, paths, named[0]) if known else None
    return Choices(choice, named, kept, tuple(_left_out(tables, choice.column)))


def _left_out(tables: Tables, column: str) -> list[Reject]:
    return [
        Reject(
            file.path,
            Stage.SPLIT,
            "no_id_column",
            f"it has no column {column!r}, so its {file.columns.num_rows:,} rows name no record",
        )
        for file in tables.files
        if not file.has(column)
    ]


def _choose(
    tables: Tables, paths: pa.Array, names: PathNames, options: Options, keyed: Keyed | None
) -> tuple[Choice, Named | None]:
    """The id column, and the image column if there is one; one that nobody named must find as many images as the ids
    do, for it may name but one of several images of a record."""
    profiles = [Profile(name, tables.columns[name], tables.rows_with(name)) for name in tables.columns.column_names]

    def choose(image_column: str | None, among: Sequence[Profile] = profiles) -> Choice:
        if options.id_column is None and keyed is not None:
            return keyed.choice
        return choose_id(among, names, options.id_column, image_column)

    named = choose_images(tables.columns, paths, options.image_column)
    if named is None:
        return choose(None), None
    contenders = Columns(profiles, named[0]).contenders
    if options.image_column is None and (rival := _rival(partial(choose, None, contenders))) is not None:
        ids = select_records(whole(tables.columns[rival.column])).ids
        if match_paths(names, ids).matched > named[1].matched:
            return rival, None
    choice = choose(named[0])
    return replace(choice, why=f"{choice.why}; {named[0]!r} names {named[1].matched:,} images"), named


def _rival(choose: Callable[[], Choice]) -> Choice | None:
    """The id column without an image column; None where only the rows of each id together tell it."""
    try:
        return choose()
    except BadTable:
        return None
