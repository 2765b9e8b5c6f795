"""What a person should hear of a join: that little was found, what came nearest, and what to set."""

from collections.abc import Iterator
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from pixlake.matching.columns import find_images
from pixlake.matching.join import Join
from pixlake.matching.pairs import find_pair
from pixlake.matching.profiles import MOSTLY, NEARLY, Profile, called_like_key
from pixlake.matching.references import AMBIGUOUS, MISSING, find_taken

_EXAMPLES = 3
_CANDIDATES = 2_000  # to find what is nearest takes as long as there are of them
_SHORTENED = r"^\s*[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,}\s*$"
_FEW_COLUMNS = 2  # beside one other column an empty cell is nothing strange
_SHOWN = 80  # characters of a name: warnings travel in a message of limited size
_WHAT_TO_SET = (
    "Set id_column to the column whose values are the names of the images or of their folders, or image_column to the"
    " one that names their files"
)


def advise(join: Join) -> tuple[str, ...]:
    """Warnings, a sentence or three each; none where all is as it should be."""
    return (
        *(warning for file in join.tables.files for warning in file.warnings),
        *_doubtful(join),
        *_incomplete(join),
        *_row_number(join),
        *_left_out(join),
        *_only_ids(join),
        *_shortened(join),
        *_merged(join),
        *_ambiguous(join),
        *_further(join),
        *_shared(join),
        *_few(join),
    )


def _doubtful(join: Join) -> Iterator[str]:
    if join.doubtful and join.known:
        yield (
            f"The experiment is keyed by {join.id_column!r}, which its first upload took though it looks like no key: a"
            " row replaces an older one of the same value. If these are other things, stop, and upload them to another"
            f" experiment with id_column set; else set id_column to {join.id_column!r}"
        )
    elif join.doubtful:
        columns = [_column(join, name) for name in join.tables.columns.column_names]
        pictures = [each.name for each in columns if each.names_images and each.tells_apart(NEARLY)]
        picture = f"; or set id_column to {pictures[0]!r} for one record an image" if pictures else ""
        pair = find_pair(columns)
        together = f" {pair[0]!r} and {pair[1]!r} together tell the rows apart." if pair else ""
        yield (
            f"No column looks like a key; {join.id_column!r} was taken, for its values are all there and all different."
            f"{together} Put a column into the table that identifies each row, and name it in id_column{picture}"
        )


def _incomplete(join: Join) -> Iterator[str]:
    """Where a complete upload lacks images that the lake has, which go by it."""
    if not (join.known and join.complete):
        return
    without = "Put them in, too; or leave complete out, then records keep their images"
    if not join.joined.images.num_rows:
        yield f"The upload is the whole experiment and has no image: those of the lake go from its tables. {without}"
    elif join.references is not None and (count := int((join.references.images == MISSING).sum())):
        names = "1 name fits" if count == 1 else f"{count:,} names fit"
        yield (
            f"Of {join.image_column!r} {names} no image of the upload, which is the whole experiment: such images of"
            f" the lake go from its tables. {without}"
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
        advice = "If each row is a record of its own, name in id_column a column that tells them apart"
        if 2 * (apart := _apart(join)) > count:
            advice = f"Of {apart:,} the first row is in another table: make one table of them, with one row for each id"
        yield (
            f"{count:,} of {rows:,} rows are left out: {join.id_column!r} is empty there, or an earlier row has the"
            f" same id. {advice}"
        )


def _apart(join: Join) -> int:
    """How many rows have the id of a row in another file."""
    ends = np.cumsum([file.columns.num_rows for file in join.tables.files])
    repeated, firsts = (np.searchsorted(ends, rows, "right") for rows in (join.records.repeated, join.records.firsts))
    return int(np.count_nonzero(repeated != firsts))


def _only_ids(join: Join) -> Iterator[str]:
    """Where a few records have an id, no image and no other value, as the line below a spreadsheet that counts them."""
    if join.id_column is None or join.tables.columns.num_columns <= _FEW_COLUMNS:
        return
    without = np.flatnonzero(join.joined.matches.counts == 0)
    rows = join.joined.rows[without]
    others = join.tables.columns.drop_columns([join.id_column])
    for column in others.columns:
        kept = column.take(pa.array(rows)).is_null().to_numpy()
        without, rows = without[kept], rows[kept]
    if 0 < len(rows) <= (1 - NEARLY) * len(join.joined.ids):
        records = "1 record has" if len(rows) == 1 else f"{len(rows):,} records have"
        name = join.joined.ids[int(without[0])].as_py()
        yield (
            f"{records} nothing but the id, such as {_shown(name)}. If that is a line below the table and no record,"
            " delete it there"
        )


def _shortened(join: Join) -> Iterator[str]:
    """Where a spreadsheet program has written long numbers as it shows them, and different ones alike."""
    for name in join.tables.columns.column_names:
        column = _column(join, name)
        if called_like_key(name) is not None and column.share_of(_SHORTENED) >= MOSTLY:
            yield (
                f"{name!r} holds numbers that a spreadsheet program has shortened, such as"
                f" {_shown(str(column.sample[0]))}: the other digits are gone. Make the column text there, and save the"
                " table again"
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


def _further(join: Join) -> Iterator[str]:
    """Where another column names images that the one that was found does not name."""
    if join.references is None or join.image_column_told:
        return
    paths = join.joined.images["image_path"].combine_chunks()
    others = join.tables.columns.drop_columns([join.image_column])
    for name, references in find_images(others, paths):
        more = np.setdiff1d(references.images[references.images >= 0], join.references.images)
        if len(more):
            images = "1 image" if len(more) == 1 else f"{len(more):,} images"
            yield (
                f"{name!r} names {images}, too, that {join.image_column!r} does not name, and is not read, for one"
                f" column names images. Set image_column to {name!r} if it is that; or write both names into one cell,"
                " with a semicolon between"
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
