"""What a run would refuse or reject of an upload, found by the steps' own code and without a lake to write to.

Plan and Split run as they are, on a lake in a temporary folder. In place of Extract and Embed each image is verified,
decoded and dropped, so that no copy of the images is made.
"""

import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pixlake import rejects, storage
from pixlake.bundles.roles import list_bundles
from pixlake.concurrency import Budget, map_bounded
from pixlake.cores import available_cores
from pixlake.errors import BadImage, BadInput, BadMember, BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.inference.encoded import ImageSource, too_large
from pixlake.lake import Work
from pixlake.messages import (
    Classifiers,
    Image,
    Ingest,
    Member,
    Options,
    PlanAnswer,
    PlanRequest,
    Shard,
    SplitRequest,
)
from pixlake.parts.broken import mend_records
from pixlake.rejects import Reject, Stage
from pixlake.report.gather import Listing, list_work, read_rejects
from pixlake.settings import InferenceSettings, PlanSettings, SplitSettings
from pixlake.steps.plan import plan
from pixlake.steps.split import split
from pixlake.zips.contents import Content, read_contents
from pixlake.zips.original import version_of
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.engine.root import ROOT

Tell = Callable[[int, int], None]
"""Hears how many images are looked at, and of how many."""

_EXECUTION = "check"
_READ_AHEAD = 2  # contents a core


@dataclass
class Checked:
    """What a run would say of the upload; the counts are those of `pixlake run`.

    `refused` says why nothing of it would be taken, and is empty where it would; the counts then are those known.
    """

    upload: str
    experiment: str
    images: int = 0
    records: int = 0
    with_image: int = 0
    orphans: int = 0
    id_column: str | None = None
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: str = ""


def check_upload(
    paths: Sequence[Path], lake: Lake | None, experiment: str | None, options: Options, tell: Tell
) -> Checked:
    """Judge one upload: a zip, a folder, or image files; for an experiment and by the models of `lake`, if there is
    one. `options` win over the upload's own.

    Raises BadRequest where `paths` are several uploads, and where `lake` is a bucket.
    """
    with _scratch_lake(lake) as scratch:
        uploads = find_uploads(paths, scratch, experiment)
        if len(uploads) != 1:
            raise BadRequest(f"{', '.join(one.shown for one in uploads)}: check one upload at a time")
        work = Work(f"file://{scratch}", _EXECUTION)
        checked = Checked(uploads[0].shown, uploads[0].experiment_id)
        try:
            _judge(uploads[0], work, lake, options, checked, tell)
        except BadInput as error:
            checked.refused = str(error)
        checked.rejects = sorted(read_rejects(list_work(work)), key=lambda reject: (reject.source, reject.stage))
        return checked


@contextmanager
def _scratch_lake(lake: Lake | None) -> Iterator[Path]:
    """A folder that is a lake for as long as the block lasts, with the models and experiments of `lake`."""
    if lake is not None and lake.folder is None:
        raise BadRequest(f"{lake.uri}: an upload is checked against a lake in a folder, or without one")
    with tempfile.TemporaryDirectory(prefix="pixlake-check-") as folder:
        scratch = Path(folder).resolve()
        known = {"models": ROOT / "bundles"}
        if lake and lake.folder:
            known = {name: lake.folder / name for name in ("models", "experiments")}
        for name, place in known.items():
            if place.is_dir():
                (scratch / name).symlink_to(place, target_is_directory=True)
        yield scratch


def _judge(upload: Upload, work: Work, lake: Lake | None, asked: Options, checked: Checked, tell: Tell) -> None:
    """Fill `checked` as far as the upload is not refused, and `work` with the rejects."""
    ingest = Ingest(upload.uri, upload.experiment_id, options=asked)
    planned = plan(PlanRequest(_EXECUTION, datetime.now(UTC).isoformat(), ingest), PlanSettings(work.lake))
    checked.images = planned.images
    _verify_images(planned, work, tell)
    options, unknown = (planned.options, []) if lake else _known_models(work.lake, planned.options)
    # AutoGluon's predictors are taken as if their container were there
    answer = split(SplitRequest(planned.run, options, planned.shards), SplitSettings(work.lake, autogluon_image="any"))
    checked.images, checked.records = answer.images, answer.records
    found = list_work(work)
    checked.with_image = mend_records([part.uri for part in found.under("parts/records/")], _undecodable(found))
    checked.orphans = answer.orphans
    checked.id_column = answer.id_column
    checked.warnings = [*answer.warnings, *unknown]


def _undecodable(found: Listing) -> list[Reject]:
    return [reject for reject in read_rejects(found) if reject.stage == Stage.EMBED]


def _verify_images(planned: PlanAnswer, work: Work, tell: Tell) -> None:
    """Write what Extract writes, and the rejects of Extract and Embed."""
    shards = msgspec.json.decode(storage.read(work.shards), type=list[Shard])
    examiner, cores, done = _Examiner(), available_cores(), 0
    for shard in shards:
        lines = storage.read_range(work.members, shard.offset, shard.length)
        members = msgspec.json.Decoder(Member).decode_lines(lines)
        contents = map(examiner.read, read_contents(planned.run.upload_uri, members, version_of(planned.run)))
        images: list[Image] = []
        left_out: list[Reject] = []
        for member, reject in map_bounded(examiner.decode, contents, cores, in_flight=_READ_AHEAD * cores):
            if reject:
                left_out.append(reject)
            if reject is None or reject.stage != Stage.EXTRACT:
                images.append(Image(member.image_path, member.image_uri, member.size))
            done += 1
            tell(done, planned.images)
        storage.write(work.extracted(shard.index), msgspec.json.Encoder().encode_lines(images))
        rejects.write(work.rejects("extract", f"{shard.index:06d}"), left_out)


_Encoded = tuple[Member, bytes | Reject]


class _Examiner:
    """Reads contents one after the other, and decodes them as Embed does, with few of their bytes in memory."""

    def __init__(self) -> None:
        self._source = ImageSource(InferenceSettings(""))
        self._most, self._room = self._source.most, Budget(self._source.ahead)
        self._turns = itertools.count()

    def read(self, content: Content) -> _Encoded:
        """A content's bytes, verified, when there is room for them; BadUpload for a bomb."""
        member = content.member
        held = self._held(member)
        self._room.admit(next(self._turns), held)
        try:
            if held:
                return member, b"".join(content.chunks)
            deque(content.chunks, maxlen=0)
        except BadMember as error:
            return member, Reject(member.image_path, Stage.EXTRACT, error.reason, error.detail)
        if not member.size:
            return member, b""
        large = too_large(member.size, self._most)
        return member, Reject(member.image_path, Stage.EMBED, large.reason, large.detail)

    def decode(self, encoded: _Encoded) -> tuple[Member, Reject | None]:
        member, data = encoded
        try:
            if isinstance(data, Reject):
                return member, data
            self._source.decoders.check(data)
        except BadImage as error:
            return member, Reject(member.image_path, Stage.EMBED, error.reason, error.detail)
        finally:
            self._room.release(self._held(member))
        return member, None

    def _held(self, member: Member) -> int:
        return member.size if member.size <= self._most else 0


def _known_models(lake_uri: str, options: Options) -> tuple[Options, list[str]]:
    """The options without the models that do not come with Pixlake, and a word about each."""
    there = set(list_bundles(lake_uri))
    roles = {"embedder": options.embedder, **msgspec.structs.asdict(options.classifier)}
    kept = {role: name for role, name in roles.items() if name and name.partition("@")[0] in there}
    warnings = [
        f"The model {name!r} for {role} is not checked: name the lake that has it with --lake"
        for role, name in roles.items()
        if name and role not in kept
    ]
    embedder = kept.pop("embedder", None)
    return msgspec.structs.replace(options, embedder=embedder, classifier=Classifiers(**kept)), warnings
