"""The state Extract: one shard's images into the lake, each verified, each accounted for."""

import msgspec

from pixlake import rejects, storage
from pixlake.errors import StorageError
from pixlake.lake import Work
from pixlake.messages import ExtractAnswer, ExtractRequest, Image, Member
from pixlake.rejects import Reject
from pixlake.settings import ExtractSettings
from pixlake.zips.deliveries import deliver_all
from pixlake.zips.original import version_of


def extract(request: ExtractRequest, settings: ExtractSettings) -> ExtractAnswer:
    """Put the shard's images into the lake and list them in `Work.extracted`; damaged ones become rejects.

    Raises BadUpload `bomb` where a member inflates past its declared size, StorageError where the counts differ.
    """
    shard, run = request.shard, request.run
    work = Work(settings.lake_uri, run.execution_id)
    lines = storage.read_range(work.members, shard.offset, shard.length)
    members = msgspec.json.Decoder(Member).decode_lines(lines)
    outcomes = deliver_all(run.upload_uri, members, settings.writes_in_flight, version_of(run))
    images = [outcome for outcome in outcomes if isinstance(outcome, Image)]
    left_out = [outcome for outcome in outcomes if isinstance(outcome, Reject)]
    if len(images) + len(left_out) != shard.count:
        found = f"{len(images)} images and {len(left_out)} rejects"
        raise StorageError(f"{run.upload_uri}: shard {shard.index} has {shard.count} members, and gave {found}")
    rejects.write(work.rejects("extract", f"{shard.index:06d}"), left_out)
    storage.write(work.extracted(shard.index), msgspec.json.Encoder().encode_lines(images))
    return ExtractAnswer(shard.index, len(images), len(left_out))
