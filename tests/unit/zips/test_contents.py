"""Honest zips, as real tools write them, come out byte for byte."""

import io
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.builders.uploads import Bench
from tests.builders.zips import DEFLATED, DESCRIPTOR, STORED, UTF8, Part, build, end, unicode_path, zipped

RANDOM = random.Random(7)
FILES = {
    "photos/a.jpg": RANDOM.randbytes(3_000),
    "photos/deep/er/b.PNG": b"text-like " * 5_000,
    "photos/short.gif": b"G",
    "photos/Ünï cödé 日本 🐈.webp": RANDOM.randbytes(10),
}


class Unseekable(io.RawIOBase):
    """Where a zip must be written with data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"PK\5\6", b"c" * 0xFFFF], ids=["plain", "tricky", "longest"])
def test_zips_written_by_zipfile_are_read(bench: Bench, method: int, comment: bytes) -> None:
    assert bench.run(bench.put("a.zip", zipped(FILES, method, comment))) == FILES
    assert bench.rejects() == []


def test_zips_with_data_descriptors_are_read(bench: Bench) -> None:
    target = Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    assert b"PK\7\x08" in target.data
    assert bench.run(bench.put("stream.zip", bytes(target.data))) == FILES


def test_zip64_members_of_zipfile_are_read(bench: Bench) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert bench.run(bench.put("wide.zip", buffer.getvalue())) == FILES


def test_zip64_directory_and_end_record_are_read(bench: Bench) -> None:
    """ZIP64 sizes and offset in the directory, and the ZIP64 end record, where no field would need them."""
    parts = [Part(b"a.jpg", b"a" * 99, DEFLATED, zip64=True), Part(b"b.jpg", b"b", zip64=True)]
    assert bench.run(bench.put("wide.zip", build(*parts, zip64=True))) == {"a.jpg": b"a" * 99, "b.jpg": b"b"}


@pytest.mark.skipif(not shutil.which("zip"), reason="Info-ZIP's zip is not installed")
@pytest.mark.parametrize("options", [[], ["-0"], ["-fd"], ["-fz"]])
def test_zips_written_by_info_zip_are_read(bench: Bench, tmp_path: Path, options: list[str]) -> None:
    for name, data in FILES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    command = ["zip", "-q", "-r", *options, str(tmp_path / "out.zip"), "photos"]
    subprocess.run(command, check=True, cwd=tmp_path / "in", env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    assert bench.run(bench.put("info.zip", (tmp_path / "out.zip").read_bytes())) == FILES


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (Part("café.jpg".encode("cp437"), b"x", host=0), "café.jpg"),
        (Part("café.jpg".encode("cp437"), b"x", host=3), "café.jpg"),
        (Part("café.jpg".encode(), b"x", flags=UTF8, host=0), "café.jpg"),
        (Part("café.jpg".encode(), b"x", host=3), "café.jpg"),
        (Part("é.jpg".encode(), b"x", host=0), "├⌐.jpg"),
        (Part("cafe\u0301.jpg".encode(), b"x", flags=UTF8), "café.jpg"),
        (Part(b"caf?.jpg", b"x", extra=unicode_path(b"caf?.jpg", "café.jpg")), "café.jpg"),
        (Part(b"new.jpg", b"x", extra=unicode_path(b"old.jpg", "old.jpg")), "new.jpg"),
        (Part(b"a\\b\\c.jpg", b"x", host=0), "a/b/c.jpg"),
        (Part(b"./a//b/./c.jpg", b"x"), "a/b/c.jpg"),
        (Part(b"a..b/c...jpg", b"x"), "a..b/c...jpg"),
    ],
)
def test_names_are_decoded_by_their_flags_and_fields(bench: Bench, part: Part, path: str) -> None:
    assert bench.run(bench.put("names.zip", build(part))) == {path: b"x"}


def test_a_name_that_cannot_be_decoded_is_rejected(bench: Bench) -> None:
    assert bench.run(bench.put("a.zip", build(Part(b"a\xff.jpg", b"x", flags=UTF8), Part(b"b.jpg", b"y")))) == {
        "b.jpg": b"y"
    }
    assert bench.reasons() == {"a\\xff.jpg": "undecodable_name"}


def test_clutter_is_ignored_and_unknown_types_are_rejected(bench: Bench) -> None:
    clutter = ["__MACOSX/p/._a.jpg", "p/.DS_Store", "p/Thumbs.db", "p/desktop.ini", ".hidden/a.jpg", "p/.b.jpg", "p/"]
    files = {**dict.fromkeys(clutter, b""), "p/a.jpg": b"a", "README": b"r", "p/movie.mp4": b"m", "p/.jpg": b"n"}
    assert bench.run(bench.put("a.zip", zipped(files))) == {"p/a.jpg": b"a"}
    assert bench.reasons() == {"README": "unsupported_type", "p/movie.mp4": "unsupported_type"}


def test_of_entries_with_equal_names_the_last_is_used(bench: Bench) -> None:
    parts = [Part("é.jpg".encode(), b"1"), Part("e\u0301.jpg".encode(), b"2"), Part("é.jpg".encode(), b"3")]
    assert bench.run(bench.put("a.zip", build(*parts))) == {"é.jpg": b"3"}
    (reject,) = bench.rejects()
    assert (reject.reason, reject.detail) == ("duplicate_name", "of 3 entries of this name the last is used")


def test_names_that_differ_in_case_are_kept_apart(bench: Bench) -> None:
    files = {"A.jpg": b"1", "a.jpg": b"2", "a.JPG": b"3", "b.jpg": b"4"}
    assert bench.run(bench.put("a.zip", zipped(files))) == files
    assert bench.reasons() == {"a.jpg": "case_collision", "a.JPG": "case_collision"}
    uris = [member.image_uri.lower() for member in bench.members()]
    assert len(set(uris)) == len(uris)


def test_a_file_and_a_folder_of_one_name_are_both_extracted(bench: Bench) -> None:
    parts = [Part(b"a.jpg", b"1"), Part(b"a.jpg/b.jpg", b"2"), Part(b"t.csv", b"3"), Part(b"t.csv/u.csv", b"4")]
    assert bench.run(bench.put("a.zip", build(*parts))) == {"a.jpg": b"1", "a.jpg/b.jpg": b"2"}
    assert sorted(bench.tables().values()) == [b"3", b"4"]


def test_directory_order_need_not_be_the_order_of_the_data(bench: Bench) -> None:
    data = build(Part(b"a.jpg", b"1"), Part(b"b.jpg", b"22"))
    first, second = Part(b"a.jpg", b"1"), Part(b"b.jpg", b"22")
    at = len(first.local())
    swapped = second.central(at) + first.central(0)
    assert bench.run(bench.put("a.zip", data.replace(first.central(0) + second.central(at), swapped))) == {
        "a.jpg": b"1",
        "b.jpg": b"22",
    }


def test_bytes_between_members_are_read_past(bench: Bench) -> None:
    gap = bytes(5 << 20)
    parts = [
        Part(b"a.jpg", b"1", tail=b"PK\7\x08" + bytes(12), flags=DESCRIPTOR),
        Part(b"b.jpg", b"2", STORED, tail=gap),
        Part(b"c.jpg", b"3", DEFLATED),
    ]
    assert bench.run(bench.put("gaps.zip", build(*parts))) == {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"3"}


def test_members_beyond_4_gib_are_read_without_what_lies_before(bench: Bench, tmp_path: Path) -> None:
    """A sparse file of 5 GiB; reading all of it would take longer than this whole suite."""
    start = 5 << 30
    parts = [Part(b"far.jpg", b"far away", DEFLATED, zip64=True), Part(b"pets.csv", b"id\n1\n", zip64=True)]
    offsets = [start, start + len(parts[0].local())]
    directory = b"".join(part.central(offset) for part, offset in zip(parts, offsets, strict=True))
    body = b"".join(part.local() for part in parts)
    upload = bench.put("far.zip", b"")
    with (tmp_path / "uploads/pets/far.zip").open("wb") as file:
        file.seek(start)
        file.write(body + directory + end(len(parts), start + len(body), len(directory), zip64=True))
    assert bench.run(upload) == {"far.jpg": b"far away"}
    assert bench.tables() == {"pets.csv": b"id\n1\n"}


def test_a_large_member_flows_through_in_parts(bench: Bench) -> None:
    files = {"large.tif": RANDOM.randbytes(20 << 20), "wide.bmp": b"0123456789abcdef" * (1 << 20), "small.png": b"x"}
    assert bench.run(bench.put("large.zip", zipped(files))) == files


def test_a_damaged_large_member_leaves_no_object(bench: Bench) -> None:
    parts = [Part(b"a.jpg", RANDOM.randbytes(20 << 20), crc=1), Part(b"b.jpg", b"x")]
    assert bench.run(bench.put("large.zip", build(*parts))) == {"b.jpg": b"x"}
    assert bench.reasons() == {"a.jpg": "crc_mismatch"}
    assert not [name for name in bench.written() if "a.jpg" in name]
