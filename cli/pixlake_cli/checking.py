"""What a run would refuse or reject of an upload, found by the steps' own code and without a lake to write to.

Plan and Split run as they are, on a lake in a temporary folder. In place of Extract and Embed each image is verified,
decoded and dropped, so that no copy of the images is made. Of what is good a clean upload can be written; it is judged
again by Plan and Split before it appears.
"""

import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from pixlake import rejects, storage
from pixlake.bundles.roles import list_bundles
from pixlake.concurrency import Budget, map_bounded
from pixlake.cores import available_cores
from pixlake.errors import BadImage, BadInput, BadMember, BadRequest, BadTable, BadUpload
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
from pixlake.steps.split import join_upload, split
from pixlake.zips.contents import Content, read_contents
from pixlake.zips.original import version_of
from pixlake_cli.cleaned import clean_tables
from pixlake_cli.drafts import draft_file
from pixlake_cli.engine.inputs import Upload, find_uploads
from pixlake_cli.engine.root import ROOT
from pixlake_cli.fixing import check_target, read_shards, told_options, write_upload

Tell = Callable[[int, int], None]
"""Hears how many images are looked at, and of how many."""

_EXECUTION, _AGAIN = "check", "check-again"
_READ_AHEAD = 2  # contents a core


@dataclass(frozen=True)
class Fixed:
    """The clean upload at `path`, with its counts as a run would give them.

    `names` are those of images that are taken out of cells, `imageless` the places of rows that are left out because
    the image by which they are keyed is, `rewritten` the tables that are not as they were, and `remaining` what would
    be said of it nevertheless. `refused` says why it was not written, and is empty if it was.
    """

    path: str
    images: int = 0
    records: int = 0
    names: int = 0
    imageless: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    remaining: list[Reject] = field(default_factory=list)
    refused: str = ""


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
    fixed: Fixed | None = None


def check_upload(
    paths: Sequence[Path],
    lake: Lake | None,
    experiment: str | None,
    options: Options,
    tell: Tell,
    fix: Path | None = None,
) -> Checked:
    """Judge one upload: a zip, a folder, or image files; for an experiment and by the models of `lake`, if there is
    one. `options` win over the upload's own. What is good of it is written to `fix` as a zip.

    Raises BadRequest where `paths` are several uploads, where `lake` is a bucket, and where `fix` cannot be written or
    would change the upload.
    """
    target = fix and check_target(fix, paths)
    with _scratch_lake(lake) as scratch:
        uploads = find_uploads(paths, scratch, experiment)
        if len(uploads) != 1:
            raise BadRequest(f"{', '.join(one.shown for one in uploads)}: check one upload at a time")
        work = Work(f"file://{scratch}", _EXECUTION)
        checked = Checked(uploads[0].shown, uploads[0].experiment_id)
        judged = None
        try:
            judged = _judge(uploads[0], work, lake, options, checked, partial(_verify_images, tell=tell))
        except BadInput as error:
            checked.refused = str(error)
        checked.rejects = _sorted_rejects(work)
        if target:
            checked.fixed = _fix(target, judged, work, lake, options, checked)
        return checked


def _sorted_rejects(work: Work) -> list[Reject]:
    return sorted(read_rejects(list_work(work)), key=lambda reject: (reject.source, reject.stage))


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


def _judge(
    upload: Upload,
    work: Work,
    lake: Lake | None,
    asked: Options,
    checked: Checked,
    extract: Callable[[PlanAnswer, Work], None],
) -> SplitRequest:
    """Fill `checked` as far as the upload is not refused, and `work` with the rejects; returns what was split."""
    ingest = Ingest(upload.uri, upload.experiment_id, options=asked)
    planned = plan(PlanRequest(work.execution_id, datetime.now(UTC).isoformat(), ingest), PlanSettings(work.lake))
    checked.images = planned.images
    extract(planned, work)
    options, unknown = (planned.options, []) if lake else _known_models(work.lake, planned.options)
    request = SplitRequest(planned.run, options, planned.shards)
    answer = split(request, _settings(work))
    checked.images, checked.records = answer.images, answer.records
    found = list_work(work)
    checked.with_image = mend_records([part.uri for part in found.under("parts/records/")], _undecodable(found))
    checked.orphans = answer.orphans
    checked.id_column = answer.id_column
    checked.warnings = [*answer.warnings, *unknown]
    return request


def _settings(work: Work) -> SplitSettings:
    # AutoGluon's predictors are taken as if their container were there
    return SplitSettings(work.lake, autogluon_image="any")


def _fix(
    target: Path, judged: SplitRequest | None, work: Work, lake: Lake | None, asked: Options, checked: Checked
) -> Fixed:
    """Write what is good of the upload that was `judged`, unless that is nothing."""
    if judged is None:
        return Fixed(str(target), refused="the upload is refused")
    broken = {reject.source for reject in checked.rejects if reject.stage in (Stage.EXTRACT, Stage.EMBED)}
    found, left_out = join_upload(judged, _settings(work))
    tables = clean_tables(work, found, left_out, broken)
    options = told_options(judged.run, asked, found)
    again, work_again = Checked(str(target), checked.experiment), Work(work.lake, _AGAIN)
    try:
        with draft_file(target) as draft:
            write_upload(draft, judged.run, work, options, tables.files, broken)
            draft.flush()
            upload = Upload(f"file://{draft.name}", checked.experiment, str(target))
            _judge(upload, work_again, lake, Options(), again, _take_images)
    except (BadUpload, BadTable) as error:
        return Fixed(str(target), refused=str(error).replace(f"file://{draft.name}", str(target)))
    remaining = _sorted_rejects(work_again)
    imageless = list(tables.imageless)
    return Fixed(str(target), again.images, again.records, tables.names, imageless, tables.rewritten, remaining)


def _take_images(_planned: PlanAnswer, work: Work) -> None:
    """Write what Extract writes of images that are known to be good."""
    for shard, members in read_shards(work):
        _write_images(work, shard, members)


def _write_images(work: Work, shard: Shard, members: Iterable[Member]) -> None:
    images = [Image(member.image_path, member.image_uri, member.size) for member in members]
    storage.write(work.extracted(shard.index), msgspec.json.Encoder().encode_lines(images))


def _undecodable(found: Listing) -> list[Reject]:
    return [reject for reject in read_rejects(found) if reject.stage == Stage.EMBED]


def _verify_images(planned: PlanAnswer, work: Work, tell: Tell) -> None:
    """Write what Extract writes, and the rejects of Extract and Embed."""
    examiner, cores, done = _Examiner(), available_cores(), 0
    for shard, members in read_shards(work):
        contents = map(examiner.read, read_contents(planned.run.upload_uri, members, version_of(planned.run)))
        taken: list[Member] = []
        left_out: list[Reject] = []
        for member, reject in map_bounded(examiner.decode, contents, cores, in_flight=_READ_AHEAD * cores):
            if reject:
                left_out.append(reject)
            if reject is None or reject.stage != Stage.EXTRACT:
                taken.append(member)
            done += 1
            tell(done, planned.images)
        _write_images(work, shard, taken)
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
