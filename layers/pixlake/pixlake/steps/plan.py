"""The state Plan: what an upload holds, refused or cut into work. Nothing is written before the whole of it is judged.

Runs where only the standard library, obstore and msgspec are at hand, and in memory that the upload's size does not
change.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import msgspec

from pixlake import storage
from pixlake.errors import BadRequest, BadUpload
from pixlake.lake import Work, check_identifier, images_uri, make_upload_id
from pixlake.messages import Ingest, ItemList, Member, Options, PlanAnswer, PlanRequest, Run
from pixlake.options import MAX_OPTIONS_BYTES, decode_options, merge_options
from pixlake.rejects import Reject
from pixlake.settings import PlanSettings
from pixlake.zips.contents import read_contents
from pixlake.zips.deliveries import deliver_all
from pixlake.zips.entries import BadMember, Entry
from pixlake.zips.inventory import Inventory, open_inventory
from pixlake.zips.keys import image_key, table_key
from pixlake.zips.shards import ShardCutter
from pixlake.zips.sources import open_source

_UPLOADS_KEY = re.compile(r"(?:^|/)uploads/([^/]+)/")
_LINES_BYTES = 1 << 20
_TABLES_AT_ONCE = 1_000
_TABLE_WRITES = 16


def plan(request: PlanRequest, settings: PlanSettings) -> PlanAnswer:
    """Plan one upload: its tables go to `Work.tables`, its images into shards, what is left out to `Work.rejects`.

    Raises BadUpload where the upload is refused, BadRequest where the request does not say what it must.
    """
    ingest = request.ingest
    experiment_id = _experiment_id(ingest)
    check_identifier("execution_id", request.execution_id)
    source = open_source(ingest.upload_uri)
    with open_inventory() as inventory:
        inventory.fill(source.entries(), settings)
        run = Run(
            execution_id=request.execution_id,
            experiment_id=experiment_id,
            upload_uri=ingest.upload_uri,
            upload_id=make_upload_id(experiment_id, inventory.fingerprint),
            uploaded_at=_utc("uploaded_at", ingest.uploaded_at or source.modified.isoformat()),
            started_at=_utc("started_at", request.started_at),
        )
        options = merge_options(ingest.options, _read_options(ingest.upload_uri, inventory.options()), settings)
        return _write(run, options, inventory, settings)


def _write(run: Run, options: Options, inventory: Inventory, settings: PlanSettings) -> PlanAnswer:
    if next(inventory.images(), None) is None and next(inventory.tables(), None) is None:
        raise BadUpload("empty_upload", f"{run.upload_uri} holds no image and no table")
    work = Work(settings.lake_uri, run.execution_id)
    tables = _write_tables(run, work, inventory)
    rejected = _write_rejects(work, inventory)
    cutter = ShardCutter(settings)
    storage.write_stream(work.members, _joined(cutter.lines(_members(run, settings.lake_uri, inventory))))
    storage.write(work.shards, msgspec.json.encode(cutter.shards))
    return PlanAnswer(
        run=run,
        options=options,
        shards=ItemList(work.key(work.shards), len(cutter.shards)),
        images=cutter.members,
        tables=tables,
        rejected=rejected,
    )


def _experiment_id(ingest: Ingest) -> str:
    if ingest.experiment_id is not None:
        return check_identifier("experiment_id", ingest.experiment_id)
    found = _UPLOADS_KEY.search(ingest.upload_uri)
    if not found:
        raise BadRequest(f"{ingest.upload_uri}: give an experiment_id, or upload to uploads/<experiment_id>/")
    return check_identifier("experiment_id", found[1])


def _utc(field: str, time: str) -> str:
    """ISO 8601 in UTC with microseconds; a time without a zone is taken as UTC."""
    try:
        parsed = datetime.fromisoformat(time)
        aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{field} {time!r} is not an ISO 8601 time") from error


def _read_options(upload_uri: str, entry: Entry | None) -> Options:
    if entry is None:
        return Options()
    if entry.size > MAX_OPTIONS_BYTES:
        raise BadUpload("bad_options", f"{entry.path}: larger than {MAX_OPTIONS_BYTES} bytes")
    content = next(read_contents(upload_uri, [_member(entry, "")]))
    try:
        return decode_options(b"".join(content.chunks), entry.path)
    except BadMember as error:
        raise BadUpload(error.reason, f"{entry.path}: {error.detail}") from error


def _write_tables(run: Run, work: Work, inventory: Inventory) -> int:
    """Tables are taken out here and not in Extract, for one that is damaged refuses the upload."""
    count = 0
    found = inventory.tables()
    while kept := list(islice(found, _TABLES_AT_ONCE)):
        uris = [
            storage.join(work.tables, table_key(table.entry.path, case_collision=table.case_collision))
            for table in kept
        ]
        members = [_member(table.entry, uri) for table, uri in zip(kept, uris, strict=True)]
        for outcome in deliver_all(run.upload_uri, members, _TABLE_WRITES):
            if isinstance(outcome, Reject):
                raise BadUpload(outcome.reason, f"{outcome.source}: {outcome.detail}")
            count += 1
    return count


def _write_rejects(work: Work, inventory: Inventory) -> int:
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
    )


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Fewer and larger pieces, since each is a call into the store."""
    buffer = bytearray()
    for line in lines:
        buffer += line
        if len(buffer) >= _LINES_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)
