"""Folders, listings and single objects become the same members as a zip."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pixlake import storage
from pixlake.errors import BadUpload, MissingObject
from tests.builders.uploads import Bench
from tests.builders.zips import zipped

FILES = {"a.jpg": b"1", "deep/Ünï %20#.png": b"22", "deep/pets.csv": b"id\n1\n", "README.txt": b"r", ".git/x.jpg": b"g"}
IMAGES = {"a.jpg": b"1", "deep/Ünï %20#.png": b"22"}


def put_folder(bench: Bench, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        bench.put(f"folder/{name}", data)
    return f"{bench.uri}/uploads/pets/folder/"


def test_a_folder_gives_what_a_zip_gives(bench: Bench) -> None:
    uri = put_folder(bench, FILES)
    assert bench.run(uri) == IMAGES
    rejects, tables = bench.rejects(), bench.tables()
    assert bench.run(bench.put("a.zip", zipped(FILES))) == IMAGES
    assert (bench.rejects(), bench.tables()) == (rejects, tables)


def test_a_folder_is_as_new_as_its_newest_file(bench: Bench, tmp_path: Path) -> None:
    uri = put_folder(bench, FILES)
    for number, name in enumerate(FILES):
        os.utime(tmp_path / "uploads/pets/folder" / name, (0, 1_700_000_000 + number))
    answer = bench.plan(uri)
    newest = 1_700_000_000 + list(FILES).index("README.txt")
    assert datetime.fromisoformat(answer.run.uploaded_at) == datetime.fromtimestamp(newest, UTC)


def test_a_folder_that_changes_is_another_upload(bench: Bench) -> None:
    uri = put_folder(bench, FILES)
    first = bench.plan(uri).run.upload_id
    assert bench.plan(uri).run.upload_id == first
    bench.put("folder/a.jpg", b"another")
    assert bench.plan(uri).run.upload_id != first


def test_links_and_pipes_are_rejected_and_never_followed(bench: Bench, tmp_path: Path) -> None:
    uri = put_folder(bench, {"a.jpg": b"1"})
    folder = tmp_path / "uploads/pets/folder"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.jpg").write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(tmp_path / "secret/s.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "linked").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe.jpg")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    assert bench.run(uri) == {"a.jpg": b"1"}
    symlinks = dict.fromkeys(["link.jpg", "dangling.jpg", "linked"], "symlink")
    assert bench.reasons() == {**symlinks, "pipe.jpg": "special_file", "\\xff.jpg": "undecodable_name"}


def test_an_unsafe_name_outside_a_zip_leaves_out_that_file_alone(bench: Bench) -> None:
    good = bench.put("folder/a.jpg", b"1")
    folder = Path(good.removeprefix("file://")).parent
    for name in ("new\nline.jpg", "C:b.jpg", "Icon\r"):
        (folder / name).write_bytes(b"x")
    assert bench.run(f"file://{folder}/") == {"a.jpg": b"1"}
    assert bench.reasons() == {"new\\nline.jpg": "unsafe_path", "C:b.jpg": "unsafe_path"}
    rows = {"../b.jpg": good, "c.jpg": f"{bench.uri}/../c.jpg", "a.jpg": good}
    assert bench.run(listing(bench, rows)) == {"a.jpg": b"1"}
    assert bench.reasons() == {"../b.jpg": "unsafe_path", "c.jpg": "missing_object"}


def test_an_empty_or_missing_folder_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "uploads/pets/empty").mkdir(parents=True)
    with pytest.raises(BadUpload, match="empty_upload"):
        bench.plan(f"{bench.uri}/uploads/pets/empty/")
    with pytest.raises(MissingObject):
        bench.plan(f"{bench.uri}/uploads/pets/none/")
    with pytest.raises(MissingObject):
        bench.plan(f"{bench.put('a.zip', b'')}/")


@pytest.mark.parametrize("bench", ["at once"], indirect=True)
def test_a_folder_deeper_than_python_recurses_is_read(bench: Bench, tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() + 100
    deep = "/".join("d" * depth)
    folder = tmp_path / "uploads/pets/folder"
    folder.mkdir(parents=True)
    for _ in range(depth):
        folder = folder / "d"
        folder.mkdir()
    (folder / "a.jpg").write_bytes(b"deep")
    try:
        assert bench.run(f"{bench.uri}/uploads/pets/folder/") == {f"{deep}/a.jpg": b"deep"}
    finally:
        # pytest's own clean-up recurses, and would not come to this end
        (folder / "a.jpg").unlink()
        while folder.name == "d":
            folder.rmdir()
            folder = folder.parent


def test_objects_changed_or_deleted_before_copying_are_rejects(bench: Bench) -> None:
    uri = put_folder(bench, {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"3", "d.jpg": b"4"})
    answer = bench.plan(uri)
    bench.put("folder/a.jpg", b"longer")
    bench.put("folder/b.jpg", b"")
    storage.delete([f"{uri}c.jpg"])
    bench.extract(answer)
    assert bench.images() == {"d.jpg": b"4"}
    assert bench.reasons() == {"a.jpg": "size_mismatch", "b.jpg": "size_mismatch", "c.jpg": "missing_object"}


def test_a_large_object_is_copied_in_parts(bench: Bench) -> None:
    data = os.urandom(20 << 20)
    assert bench.run(put_folder(bench, {"large.tif": data})) == {"large.tif": data}


def listing(bench: Bench, rows: dict[str, str]) -> str:
    lines = [msgspec.json.encode({"path": path, "uri": uri}) + b"\n" for path, uri in rows.items()]
    return bench.put("2026.listing.jsonl", b"\n".join(lines))


def test_a_listing_gathers_loose_objects(bench: Bench) -> None:
    rows = {name: bench.put(f"loose/{number}", data) for number, (name, data) in enumerate(FILES.items())}
    uri = listing(bench, {**rows, "gone.jpg": f"{bench.uri}/none.jpg"})
    assert bench.run(uri) == IMAGES
    assert bench.reasons() == {"README.txt": "unsupported_type", "gone.jpg": "missing_object"}


@pytest.mark.parametrize("bench", ["in the background"], indirect=True)
def test_a_listing_of_more_than_a_thousand_objects_is_read(bench: Bench) -> None:
    rows = {f"{number}.jpg": bench.put(f"loose/{number}", b"%d" % number) for number in range(1_100)}
    assert bench.run(listing(bench, rows)) == {name: name.removesuffix(".jpg").encode() for name in rows}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"path": "a.jpg"}', "bad_listing"),
        (b"a.jpg", "bad_listing"),
        (b'{"path": "../a.jpg", "uri": "URI"}', "empty_upload"),
        (b"x" * (3 << 20), "bad_listing"),
        (b"\n", "empty_upload"),
    ],
)
def test_a_bad_listing_is_refused(bench: Bench, data: bytes, reason: str) -> None:
    good = bench.put("loose.jpg", b"x").encode()
    with pytest.raises(BadUpload) as refusal:
        bench.plan(bench.put("bad.listing.jsonl", data.replace(b"URI", good)))
    assert refusal.value.reason == reason
    assert bench.written() == []


def test_one_image_is_an_upload(bench: Bench) -> None:
    assert bench.run(bench.put("cat 1.jpg", b"meow")) == {"cat 1.jpg": b"meow"}


def test_one_table_is_an_upload(bench: Bench) -> None:
    answer = bench.plan(bench.put("pets.csv", b"id\n1\n"))
    assert (answer.images, answer.tables) == (0, 1)
    assert bench.tables() == {"pets.csv": b"id\n1\n"}


def gather(bench: Bench, *lines: dict[str, str]) -> str:
    """What events gathered, as an upload."""
    return bench.put("objects.gathered.jsonl", msgspec.json.Encoder().encode_lines(lines))


def test_gathered_objects_have_the_times_of_their_events(bench: Bench) -> None:
    uris = {name: bench.put(f"loose/{name}", b"1") for name in ("a b.jpg", "Ü.jpg")}
    times = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+02:00"]
    lines = zip(uris.items(), times, strict=True)
    answer = bench.plan(
        gather(bench, *({"path": path, "uri": uri, "uploaded_at": time} for (path, uri), time in lines))
    )
    assert answer.run.uploaded_at == "2026-01-01T22:00:00.000000+00:00"
    members = {member.image_path: member.uploaded_at for member in bench.members()}
    assert members == {"a b.jpg": "2026-01-01T00:00:00+00:00", "Ü.jpg": "2026-01-01T22:00:00+00:00"}
    bench.extract(answer)
    assert bench.images() == {"a b.jpg": b"1", "Ü.jpg": b"1"}


def test_records_have_the_time_of_the_newest_table_among_gathered_objects(bench: Bench) -> None:
    table, picture = bench.put("loose/t.csv", b"id\n1\n"), bench.put("loose/1.jpg", b"1")
    lines = [
        {"path": "1.jpg", "uri": picture, "uploaded_at": "2026-01-03T00:00:00Z"},
        {"path": "t.csv", "uri": table, "uploaded_at": "2026-01-02T00:00:00Z"},
    ]
    for given in (lines, lines[::-1]):
        assert bench.plan(gather(bench, *given)).run.uploaded_at == "2026-01-02T00:00:00.000000+00:00"


def test_a_gathered_object_that_is_gone_is_passed_over_and_nothing_at_all_is_no_error(bench: Bench) -> None:
    gone = {"path": "a.jpg", "uri": f"{bench.uri}/gone.jpg", "uploaded_at": "2026-01-03T00:00:00Z"}
    answer = bench.plan(gather(bench, gone))
    assert (answer.images, answer.rejected, bench.rejects()) == (0, 0, [])


def test_the_options_beside_gathered_objects_are_read_if_they_are_there_but_complete(bench: Bench) -> None:
    picture = {"path": "a.jpg", "uri": bench.put("loose/a.jpg", b"1"), "uploaded_at": "2026-01-03T00:00:00Z"}
    options = {"path": "pixlake.json", "uri": f"{bench.uri}/uploads/pets/loose/pixlake.json"}
    assert bench.plan(gather(bench, options, picture)).options.embedder is None
    bench.put("loose/pixlake.json", b'{"embedder": "mine", "complete": true}')
    found = bench.plan(gather(bench, options, picture)).options
    assert (found.embedder, found.complete) == ("mine", None)
