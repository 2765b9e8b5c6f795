"""The files that Plan reads from an upload, and those that it writes for later steps."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from pixlake import storage
from pixlake.errors import BadMember, BadUpload
from pixlake.lake import Work, images_uri
from pixlake.messages import Member, Options, Run
from pixlake.options import MAX_OPTIONS_BYTES, decode_options
from pixlake.rejects import Reject
from pixlake.settings import PlanSettings
from pixlake.storage import ANY, Version
from pixlake.zips.contents import read_contents
from pixlake.zips.deliveries import deliver_all
from pixlake.zips.entries import Entry
from pixlake.zips.inventory import Inventory
from pixlake.zips.keys import image_key, table_key
from pixlake.zips.original import version_of
from pixlake.zips.shards import ShardCutter

_LINES_BYTES = 1 << 20
_TABLES_AT_ONCE = 1_000
_TABLE_WRITES = 16


def read_options(upload_uri: str, entry: Entry | None, version: Version = ANY) -> Options:
    """The upload's `pixlake.json`, if it has one; BadUpload where it cannot be read."""
    if entry is None:
        return Options()
    if entry.size > MAX_OPTIONS_BYTES:
        raise BadUpload("bad_options", f"{entry.path}: larger than {MAX_OPTIONS_BYTES} bytes")
    content = next(read_contents(upload_uri, [_member(entry, "")], version))
    try:
        return decode_options(b"".join(content.chunks), entry.path)
    except BadMember as error:
        raise BadUpload(error.reason, f"{entry.path}: {error.detail}") from error


def write_tables(run: Run, work: Work, inventory: Inventory) -> int:
    """Put the tables into `Work.tables`; return their number. Done before Extract, for a damaged one refuses the
    upload."""
    count = 0
    found = inventory.tables()
    while kept := list(islice(found, _TABLES_AT_ONCE)):
        uris = [
            storage.join(work.tables, table_key(table.entry.path, case_collision=table.case_collision))
            for table in kept
        ]
        members = [_member(table.entry, uri) for table, uri in zip(kept, uris, strict=True)]
        for outcome in deliver_all(run.upload_uri, members, _TABLE_WRITES, version_of(run)):
            if isinstance(outcome, Reject):
                raise BadUpload(outcome.reason, f"{outcome.source}: {outcome.detail}")
            count += 1
    return count


def write_rejects(work: Work, inventory: Inventory) -> int:
    """Write the rejects of the inventory, and return their number."""
    encoder = msgspec.json.Encoder()
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for reject in inventory.rejects():
            count += 1
            yield encoder.encode(reject) + b"\n"

    if next(inventory.rejects(), None) is not None:
        storage.write_stream(work.rejects("plan", "0"), _joined(lines()))
    return count


def write_shards(run: Run, work: Work, inventory: Inventory, settings: PlanSettings) -> ShardCutter:
    """Write the images as `Work.members`, and the shards that they are cut into."""
    cutter = ShardCutter(settings)
    storage.write_stream(work.members, _joined(cutter.lines(_members(run, settings.lake_uri, inventory))))
    storage.write(work.shards, msgspec.json.encode(cutter.shards))
    return cutter


def write_no_shards(work: Work) -> None:
    """The list of shards where there is nothing to extract."""
    storage.write(work.shards, b"[]")


def _members(run: Run, lake_uri: str, inventory: Inventory) -> Iterator[Member]:
    folder = images_uri(lake_uri, run.experiment_id, run.upload_id)
    for kept in inventory.images():
        yield _member(kept.entry, f"{folder}/{image_key(kept.entry.path, case_collision=kept.case_collision)}")


def _member(entry: Entry, uri: str) -> Member:
    return Member(
        image_path=entry.path,
        image_uri=uri,
        size=entry.size,
        offset=entry.offset,
        compressed=entry.compressed,
        crc=entry.crc,
        method=entry.method,
        name_crc=entry.name_crc,
        source_uri=entry.source_uri,
        version=entry.version,
        uploaded_at=entry.uploaded_at,
    )


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Joined into fewer pieces, since each is a call into the store."""
    buffer = bytearray()
    for line in lines:
        buffer += line
        if len(buffer) >= _LINES_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
