"""A clean upload, made of what is good of another: a zip of its images, its tables and a `pixlake.json`."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import msgspec

from pixlake import storage
from pixlake.errors import BadRequest
from pixlake.lake import Work
from pixlake.matching.join import Join
from pixlake.messages import Member, Options, Run, Shard
from pixlake.options import lay_options
from pixlake.zips.contents import read_contents
from pixlake.zips.names import OPTIONS_NAME
from pixlake.zips.original import version_of
from pixlake_cli.cleaned import CleanTable
from pixlake_cli.ownoptions import encode_options, find_options


def check_target(path: Path, uploads: Sequence[Path]) -> Path:
    """The absolute path of a zip to write; BadRequest where it is the upload, or would become a part of it."""
    if path.suffix.lower() != ".zip":
        raise BadRequest(f"{path}: the clean upload is a zip: give it a name that ends in .zip")
    target = path.parent.resolve() / path.name
    for upload in uploads:
        if path.exists() and upload.samefile(path):
            raise BadRequest(f"{path} is the upload: name another file, for an upload is never changed")
        if upload.is_dir() and target.is_relative_to(upload.resolve()):
            raise BadRequest(f"{path} lies in the upload {upload}: name a file elsewhere")
    return target


def read_shards(work: Work) -> Iterator[tuple[Shard, list[Member]]]:
    """The images that Plan found, a shard at a time."""
    for shard in msgspec.json.decode(storage.read(work.shards), type=list[Shard]):
        lines = storage.read_range(work.members, shard.offset, shard.length)
        yield shard, msgspec.json.Decoder(Member).decode_lines(lines)


def told_options(run: Run, asked: Options, found: Join) -> Options:
    """What was asked for, what the upload's own `pixlake.json` says, and the columns that were found."""
    own, _ = find_options(run.upload_uri, run.upload_version)
    return lay_options(asked, own, Options(id_column=found.id_column, image_column=found.image_column))


def write_upload(
    target: IO[bytes], run: Run, work: Work, options: Options, tables: Iterable[CleanTable], broken: Collection[str]
) -> None:
    """Write the zip, the images as a stream and stored, since they are compressed; raises BadMember or BadUpload where
    the upload has changed meanwhile."""
    with ZipFile(target, "w", ZIP_STORED) as archive:
        if options != Options():
            archive.writestr(_member(OPTIONS_NAME), encode_options(options))
        for table in tables:
            with archive.open(_member(table.path, ZIP_DEFLATED), "w", force_zip64=True) as member:
                table.write(member)
        for _, members in read_shards(work):
            good = (member for member in members if member.image_path not in broken)
            for content in read_contents(run.upload_uri, good, version_of(run)):
                with archive.open(_member(content.member.image_path), "w", force_zip64=True) as member:
                    for chunk in content.chunks:
                        member.write(chunk)


def _member(name: str, method: int = ZIP_STORED) -> ZipInfo:
    """Without a time, so that the same upload makes the same bytes."""
    member = ZipInfo(name)
    member.compress_type = method
    member.external_attr = 0o100644 << 16
    return member
