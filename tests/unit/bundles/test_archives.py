"""A tar gives back the files that went in, and a hostile one nothing."""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pixlake.bundles import archives
from pixlake.bundles.archives import inspect, pack, unpack
from pixlake.errors import BadBundle
from tests.builders.predictors import tar

CONTENT = {"assets.json": b"{}", "backbones/timm/weights.bin": b"\x00" * 70_000, "empty": b""}


def cut(data: bytes, size: int = 1_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def put(folder: Path) -> dict[str, Path]:
    """`CONTENT` as files somewhere, by their names in the tar."""
    files = {name: folder / str(number) for number, name in enumerate(CONTENT)}
    for name, path in files.items():
        path.write_bytes(CONTENT[name])
    return files


def test_a_tar_gives_back_the_files_that_went_in(tmp_path: Path) -> None:
    pack(put(tmp_path), tmp_path / "packed.tar")
    data = (tmp_path / "packed.tar").read_bytes()
    assert unpack(cut(data), len(data), tmp_path / "out") == len(CONTENT) == inspect(cut(data, 7), len(data))
    for name, content in CONTENT.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        files = put(tmp_path / place)
        for path in files.values():
            path.chmod(0o600 if place == "one" else 0o755)
        pack(dict(reversed(files.items())) if place == "one" else files, tmp_path / f"{place}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def holding(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for info in members:
            made.addfile(info, io.BytesIO(b"x" * info.size))
    return buffer.getvalue()


def sparse() -> bytes:
    """A file of a terabyte, all but its first byte a hole."""
    info = member("huge", size=1)
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,1"}
    return holding(info)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "above": lambda: tar({"../outside": b"x"}),
    "far above": lambda: tar({"a/../../outside": b"x"}),
    "absolute": lambda: tar({"/outside": b"x"}),
    "a link out": lambda: holding(member("link", tarfile.SYMTYPE, "../outside")),
    "a link within": lambda: holding(member("a", size=1), member("link", tarfile.SYMTYPE, "a")),
    "a hard link": lambda: holding(member("a", size=1), member("link", tarfile.LNKTYPE, "a")),
    "a pipe": lambda: holding(member("pipe", tarfile.FIFOTYPE)),
    "a device": lambda: holding(member("device", tarfile.CHRTYPE)),
    "a hole": sparse,
    "nothing": lambda: b"",
    "no tar": lambda: b"\x80\x04 a pickle" * 100,
    "cut off": lambda: tar({"a": b"x" * 5_000})[:3_000],
    "compressed": lambda: b"\x1f\x8b" + b"\x00" * 600,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=list(HOSTILE))
def test_nothing_is_unpacked_of_a_hostile_tar(tmp_path: Path, make: Callable[[], bytes]) -> None:
    data, target = make(), tmp_path / "in" / "target"
    with pytest.raises(BadBundle, match="tar"):
        unpack(cut(data), len(data), target)
    with pytest.raises(BadBundle, match="tar"):
        inspect(cut(data), len(data))
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "in" / "outside").exists()
    assert not [path for path in target.rglob("*") if path.is_symlink() or path.stat().st_size > len(data)]


def test_a_tar_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MOST_FILES", 2)
    data = tar({"a": b"", "b": b"", "c": b""})
    with pytest.raises(BadBundle, match="more than 2 files"):
        unpack(cut(data), len(data), tmp_path)


def test_bytes_after_the_end_of_a_tar_count_for_its_checksum() -> None:
    data, taken = tar({"a": b"x"}) + b"behind" * 100_000, []

    def chunks() -> Iterator[bytes]:
        for chunk in cut(data):
            taken.append(chunk)
            yield chunk

    assert inspect(chunks(), len(data)) == 1
    assert b"".join(taken) == data
