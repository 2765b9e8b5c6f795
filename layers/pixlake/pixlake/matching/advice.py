"""What a person should hear of a join: that little was found, what came nearest, and what to set."""

from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from pixlake.matching.join import Join
from pixlake.matching.pairs import find_pair
from pixlake.matching.profiles import NEARLY, Profile
from pixlake.matching.references import AMBIGUOUS, MISSING, find_taken

_EXAMPLES = 3
_CANDIDATES = 2_000  # to find what is nearest takes as long as there are of them
_SHOWN = 80  # characters of a name: warnings travel in a message of limited size
_WHAT_TO_SET = (
    "Set id_column to the column whose values are the names of the images or of their folders, or image_column to the"
    " one that names their files"
)


def advise(join: Join) -> tuple[str, ...]:
    """Warnings, a sentence or three each; none where all is as it should be."""
    return (
        *_doubtful(join),
        *_row_number(join),
        *_left_out(join),
        *_merged(join),
        *_ambiguous(join),
        *_shared(join),
        *_few(join),
    )


def _doubtful(join: Join) -> Iterator[str]:
    if join.doubtful:
        pair = find_pair([_column(join, name) for name in join.tables.columns.column_names])
        together = f" {pair[0]!r} and {pair[1]!r} together tell the rows apart." if pair else ""
        yield (
            f"No column looks like a key; {join.id_column!r} was taken, for its values are all there and all different."
            f"{together} Put a column into the table that identifies each row, and name it in id_column"
        )


def _row_number(join: Join) -> Iterator[str]:
    if join.id_column is not None and _column(join, join.id_column).row_number:
        yield (
            f"The id column {join.id_column!r} is only a row number: where rows are added, left out or sorted, another"
            " upload gives these ids to others. Put a column into the table that identifies each row, and name it in"
            " id_column"
        )


def _left_out(join: Join) -> Iterator[str]:
    """Where a column was taken for the id though many rows have none of their own."""
    rows, count = join.tables.columns.num_rows, len(join.records.empty) + len(join.records.repeated)
    if count > (1 - NEARLY) * rows:
        yield (
            f"{count:,} of {rows:,} rows are left out: {join.id_column!r} is empty there, or an earlier row has the"
            " same id. If each row is a record of its own, name in id_column a column that tells them apart"
        )


def _merged(join: Join) -> Iterator[str]:
    if count := len(join.records.merged):
        rows, ids = count + len(join.records.ids), len(join.records.ids)
        yield (
            f"The id column {join.id_column!r} is repeated: {rows:,} rows, one an image, became {ids:,} records. Set"
            f" id_column to {join.image_column!r} for one record a row"
        )


def _ambiguous(join: Join) -> Iterator[str]:
    if join.references is None or not (count := join.references.ambiguous):
        return
    text = join.references.texts.filter(pa.array(join.references.images == AMBIGUOUS))[0].as_py()
    yield (
        f"{count:,} names in {join.image_column!r} fit several images each, such as {_shown(text)}. Write the folder"
        " before the name, or keep the folder in a column of its own"
    )


def _shared(join: Join) -> Iterator[str]:
    """Where records name an image that an earlier one has, for an image has one record."""
    taken = find_taken(join.references, join.ranks) if join.references is not None else np.zeros(0, dtype=bool)
    if join.references is None or not taken.any():
        return
    records, image = join.ranks[join.references.rows[taken]], int(join.references.images[taken][0])
    count, ids = len(np.unique(records)), join.joined.ids
    name, owner = ids[int(records[0])].as_py(), ids[int(join.joined.matches.record_of_image[image])].as_py()
    path = join.joined.images["image_path"][image].as_py()
    yield (
        f"{count:,} record{'s name' if count > 1 else ' names'} images that an earlier one has, and"
        f" {'are' if count > 1 else 'is'} without them, for an image has one record:"
        f" {_shown(name)} names {_shown(path)}, which is that of {_shown(owner)}."
        " Put in a copy of the image, under a name of its own, for each record that shall have it"
    )


def _few(join: Join) -> Iterator[str]:
    matches, records = join.joined.matches, len(join.joined.ids)
    images, matched, illustrated = len(matches.record_of_image), matches.matched, int((matches.counts > 0).sum())
    if not images or not records or 2 * matched >= images or 2 * illustrated >= records:
        return
    examples = "".join(f" {example}." for example in _examples(join))
    yield (
        f"{illustrated or 'None'} of {records:,} records {'has' if illustrated == 1 else 'have'} an image, and"
        f" {matched or 'none'} of {images:,} images {'has' if matched == 1 else 'have'} a record, by"
        f" {join.image_column or join.id_column!r}.{examples} {_WHAT_TO_SET}"
    )


def _examples(join: Join) -> Iterator[str]:
    """Images without a record, each with the value of the table that is most like its name."""
    orphans = np.flatnonzero(join.joined.matches.record_of_image < 0)
    chosen = orphans[np.linspace(0, len(orphans) - 1, min(len(orphans), _EXAMPLES)).astype(int)]
    column, values = _candidates(join)
    names = {_bare(value): value for value in values}
    for path in join.joined.images["image_path"].take(pa.array(chosen)).to_pylist():
        nearest = get_close_matches(_bare(path), names, 1, 0.0)
        yield f"{_shown(path)} is nearest to {_shown(names[nearest[0]])} in {column!r}" if nearest else _shown(path)


def _candidates(join: Join) -> tuple[str, list[str]]:
    """What the table says of images: the names that found none, those in a column like that, or the ids."""
    if join.references is not None and join.image_column is not None:
        missing = join.references.texts.filter(pa.array(join.references.images == MISSING))
        return join.image_column, missing[:_CANDIDATES].to_pylist()
    columns = [_column(join, name) for name in join.tables.columns.column_names]
    pictures = [each for each in columns if each.names_images and len(each.sample)]
    if pictures:
        return pictures[0].name, pictures[0].sample[:_CANDIDATES].to_pylist()
    return str(join.id_column), join.joined.ids[:_CANDIDATES].to_pylist()


def _column(join: Join, name: str) -> Profile:
    return Profile(name, join.tables.columns[name], join.tables.columns.num_rows)


def _bare(name: str) -> str:
    """A path's or URL's last part without extension, in small letters."""
    last = name.replace("\\", "/").partition("?")[0].rpartition("/")[2]
    return (last.rpartition(".")[0] or last).casefold()[:_SHOWN]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 :]}")
