"""A folder, image files or a zip as the bytes that are sent."""

import io
import os
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import ChangedObject
from pixlake.messages import Classifiers, Options
from pixlake.zips.directory import end_records
from pixlake_cli import packing
from pixlake_cli.engine.inputs import find_uploads
from pixlake_cli.multipart import cut, part_size
from pixlake_cli.packing import NO_OPTIONS, Packed, pack
from tests.builders.model_lakes import image, make_zip
from tests.builders.uploads import Bench

TABLE = "id,age\n" + "".join(f"{number},{number}\n" for number in range(200))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images, a table, a text, a link, and what is ignored."""
    files = {
        "a.png": image(),
        "with space/日本 🐈.png": image((0, 255, 0)),
        "pets.csv": TABLE.encode(),
        "notes.txt": b"neither",
        ".DS_Store": b"clutter",
        "empty.png": b"",
    }
    home = tmp_path / "pets"
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    (home / "link.png").symlink_to(home / "a.png")
    return home


def packed(*paths: Path, lake: Path, options: Options = NO_OPTIONS) -> Packed:
    (upload,) = find_uploads(paths, lake.resolve(), None)
    return pack(upload, options)


def sent(packed: Packed) -> bytes:
    return b"".join(packed.chunks())


def test_plan_and_extract_find_in_the_zip_what_they_find_in_the_folder(folder: Path, tmp_path: Path) -> None:
    found = packed(folder, lake=tmp_path / "lake")
    zipped, plain = Bench(f"file://{tmp_path}/zipped"), Bench(f"file://{tmp_path}/plain")
    images = zipped.run(zipped.put(found.name, sent(found)))
    plain.extract(plain.plan(f"file://{folder}/", experiment_id="pets"))
    assert images == plain.images()
    assert zipped.tables() == plain.tables()
    # a link is in no zip: the check has told of it
    assert zipped.reasons() == {path: why for path, why in plain.reasons().items() if why != "symlink"}
    assert (found.name, found.left_out, len(found.files)) == ("pets.zip", 1, 5)


def test_the_same_files_make_the_same_bytes_whenever_they_were_made(folder: Path, tmp_path: Path) -> None:
    first = packed(folder, lake=tmp_path / "lake")
    data = sent(first)
    os.utime(folder / "a.png", (1, 1))
    again = packed(folder, lake=tmp_path / "lake")
    assert sent(again) == data
    assert len(data) <= again.bound
    assert again.fingerprint != first.fingerprint


def test_compressed_formats_are_stored_and_tables_deflated(folder: Path, tmp_path: Path) -> None:
    (folder / "blank.bmp").write_bytes(b"BM" + bytes(3 << 20))
    with zipfile.ZipFile(io.BytesIO(sent(packed(folder, lake=tmp_path / "lake")))) as archive:
        methods = {member.filename: member.compress_type for member in archive.infolist()}
    assert methods["a.png"] == zipfile.ZIP_STORED
    assert methods["pets.csv"] == zipfile.ZIP_DEFLATED
    # deflated, it would be refused as a bomb
    assert methods["blank.bmp"] == zipfile.ZIP_STORED


def test_a_file_that_is_too_large_for_memory_is_a_stream(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sent(packed(folder, lake=tmp_path / "lake"))
    monkeypatch.setattr(packing, "_TRIED", 10)
    streamed = sent(packed(folder, lake=tmp_path / "lake"))
    for data in (whole, streamed):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            assert archive.read("pets.csv").decode() == TABLE


def test_a_zip_is_sent_as_it_is_under_its_own_name(folder: Path, tmp_path: Path) -> None:
    upload = tmp_path / "Holiday 1.ZIP"
    upload.write_bytes(sent(packed(folder, lake=tmp_path / "lake")))
    found = packed(upload, lake=tmp_path / "lake")
    assert (sent(found), found.name, found.bound) == (upload.read_bytes(), "Holiday 1.zip", upload.stat().st_size)


def test_image_files_are_one_zip_whose_name_is_that_of_the_same_files(folder: Path, tmp_path: Path) -> None:
    files = sorted(folder.rglob("*.png"))
    names = {packed(*files, lake=tmp_path / f"lake-{turn}").name for turn in range(2)}
    assert len(names) == 1
    assert packed(*files[1:], lake=tmp_path / "lake").name not in names
    with zipfile.ZipFile(io.BytesIO(sent(packed(*files, lake=tmp_path / "lake")))) as archive:
        assert {"a.png", "with space/日本 🐈.png"} <= set(archive.namelist())


@pytest.mark.parametrize("change", [b"more bytes than before", b""])
def test_a_file_that_changes_meanwhile_ends_the_upload(folder: Path, tmp_path: Path, change: bytes) -> None:
    found = packed(folder, lake=tmp_path / "lake")
    (folder / "a.png").write_bytes(change)
    with pytest.raises(ChangedObject, match=r"a\.png was replaced"):
        sent(found)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 40))
def test_parts_are_the_same_bytes_all_of_one_size_but_the_last(chunks: list[bytes], size: int) -> None:
    parts = list(cut(chunks, size))
    assert b"".join(parts) == b"".join(chunks)
    assert {len(part) for part in parts[:-1]} <= {size}
    assert len(parts[-1]) <= size
    assert all(parts) or parts == [b""]


@pytest.mark.parametrize("bound", [0, 1, 8 << 20, 70 << 30, 1 << 40, (1 << 40) + 12345])
def test_an_upload_has_as_many_parts_as_s3_takes_and_none_that_is_too_small(bound: int) -> None:
    size = part_size(bound)
    assert size >= 5 << 20
    assert -(-bound // size) <= 10_000
    assert size % (1 << 20) == 0


def test_a_large_zip_is_as_zipfile_reads_it(tmp_path: Path) -> None:
    home = tmp_path / "many"
    home.mkdir()
    for number in range(300):
        (home / f"{number:04d}.jpg").write_bytes(random.Random(number).randbytes(20_000))
    found = packed(home, lake=tmp_path / "lake")
    chunks = list(found.chunks())
    assert len(chunks) > 3, "it is no single piece"
    with zipfile.ZipFile(io.BytesIO(b"".join(chunks))) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 300


ASKED = Options(embedder="clip", classifier=Classifiers(orphan="pets"), complete=True)
OWN = b'{"embedder": "theirs", "id_column": "id", "classifier": {"with_image": "dogs"}}'


def planned(folder: Path, data: bytes) -> tuple[Options, dict[str, bytes], dict[str, str]]:
    """What Plan and Extract make of a zip: its options, images and rejects."""
    bench = Bench(f"file://{folder}")
    answer = bench.plan(bench.put("pets.zip", data))
    bench.extract(answer)
    return answer.options, bench.images(), bench.reasons()


@pytest.mark.parametrize("place", ["", "pets/"], ids=["at-the-root", "in-the-only-folder"])
@pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "folder"])
def test_options_that_are_asked_for_lie_over_those_of_the_upload(tmp_path: Path, place: str, as_zip: bool) -> None:
    files = {f"{place}pixlake.json": OWN, f"{place}a.png": image(), f"{place}b.png": image((0, 9, 0))}
    home = tmp_path / "upload"
    for name, data in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    zipped = make_zip(tmp_path / "upload.zip", files)
    found = packed(zipped if as_zip else home, lake=tmp_path / "lake", options=ASKED)
    data = sent(found)
    assert len(data) <= found.bound
    options, images, rejects = planned(tmp_path / "here", data)
    given = {name: getattr(options, name) for name in ("embedder", "id_column", "complete")}
    assert given == {"embedder": "clip", "id_column": "id", "complete": True}
    assert (options.classifier.orphan, options.classifier.with_image) == ("pets", "dogs")
    assert images == {name: data for name, data in files.items() if name.endswith(".png")}
    assert rejects == {}
    # another program reads the same
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted([*images, "pixlake.json"])


def test_a_zip_without_options_gets_them_and_is_else_byte_for_byte_as_it_was(tmp_path: Path) -> None:
    """Names that are no UTF-8 stay what they are."""
    path = tmp_path / "Ü ld%20.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xxx.png", image())
    path.write_bytes(path.read_bytes().replace(b"xxx.png", b"\x81\x9a\x84.png"))
    data = sent(packed(path, lake=tmp_path / "lake", options=ASKED))
    before = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert data[: archive.start_dir] == before[: archive.start_dir]
    options, images, rejects = planned(tmp_path / "here", data)
    assert (options.embedder, list(images.values()), rejects) == ("clip", [image()], {})


def test_other_options_make_another_upload_and_the_same_ones_the_same(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.png": image()})
    once, again, other = (
        packed(path, lake=tmp_path / "lake", options=options)
        for options in (ASKED, ASKED, Options(embedder="clap", classifier=Classifiers(orphan="pets"), complete=True))
    )
    assert (sent(once), once.fingerprint) == (sent(again), again.fingerprint)
    assert once.fingerprint != other.fingerprint
    assert packed(path, lake=tmp_path / "lake").fingerprint != once.fingerprint


@pytest.mark.parametrize(
    ("offset", "size", "count"), [(0, 0, 0), (5 << 30, 100, 1), (7, 100, 70_000), (7, 0xFFFF_FFFF, 1), (0, 1, 0xFFFF)]
)
def test_the_end_of_a_zip_is_read_as_it_is_written(offset: int, size: int, count: int) -> None:
    records = end_records(offset, size, count)
    # as CPython reads it, of which only the end is there
    place = io.BytesIO(records)
    found = zipfile._EndRecData(place)  # type: ignore[attr-defined]
    assert [found[5], found[6], found[4]] == [size, offset, count]
