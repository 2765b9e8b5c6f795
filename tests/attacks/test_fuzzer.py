"""The fuzzer finds what is planted, says by which bytes, and finds nothing where there is nothing."""

import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders
from pixlake.rejects import Reject
from pixlake.tables import jsonlines
from pixlake.zips.deliveries import deliver_all
from tests.fuzz import bases, formats
from tests.fuzz.anatomy import Anatomy
from tests.fuzz.parquet import PARQUET
from tests.fuzz.session import Session
from tests.fuzz.targets import image, make_targets

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it measures memory as Linux tells it")


def session(tmp_path: Path, target: str, rounds: int = 1) -> Session:
    """One that has tried so many rounds."""
    found = Session(0, tmp_path / "findings", most_examples=40 if target != "images" else 10)
    targets = make_targets(tmp_path / "work", found.tally, [target])
    for number in range(rounds):
        found.run_round(targets, number)
    return found


def only_finding(found: Session) -> tuple[str, dict[str, bytes]]:
    """What was found and the files that were written for it."""
    (sign,) = found.tally.findings
    (folder,) = found.folder.iterdir()
    assert sign in (folder / "finding.txt").read_text()
    return sign, {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".txt"}


@pytest.mark.parametrize("target", ["csv", "json", "jsonl", "parquet", "xlsx", "zip", "images"])
def test_it_finds_nothing_where_there_is_nothing(tmp_path: Path, target: str) -> None:
    found = session(tmp_path, target)
    assert found.tally.violations == 0, found.tally.findings
    assert found.tally.items >= 10


def test_an_error_that_no_step_expects_is_found_with_few_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a line that holds an array in an array broke the reader."""
    original = jsonlines._read_line

    def fragile(decoder: Any, number: int, line: bytes) -> Any:
        if line.count(b"[") > 1:
            raise KeyError("planted")
        return original(decoder, number, line)

    monkeypatch.setattr(jsonlines, "_read_line", fragile)
    sign, files = only_finding(session(tmp_path, "jsonl"))
    assert sign.startswith("KeyError at test_fuzzer.py:")
    assert files["bad.jsonl"].count(b"[") > 1


def test_a_member_of_a_zip_that_is_lost_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = deliver_all

    def forgetful(*arguments: Any) -> list[Any]:
        return [each for each in original(*arguments) if not isinstance(each, Reject)]

    monkeypatch.setattr("pixlake.steps.extract.deliver_all", forgetful)
    sign, files = only_finding(session(tmp_path, "zip", rounds=3))
    assert sign.startswith("StorageError at extract.py:")
    assert [*files] == ["bad.zip"]


def test_an_image_that_costs_a_good_one_its_row_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a damaged image left its decoder in pieces."""
    original = Decoders.load
    broken = False

    def infectious(decoders: Decoders, *arguments: Any) -> Any:
        nonlocal broken
        if broken:
            broken = False
            raise BadImage("damaged", "planted")
        try:
            return original(decoders, *arguments)
        except BadImage:
            broken = True
            raise

    monkeypatch.setattr(Decoders, "load", infectious)
    found = session(tmp_path, "images")
    assert "a good image is rejected" in found.tally.findings


def test_the_same_seed_makes_the_same_images() -> None:
    assert [image(Random(7)) for _ in range(3)] == [image(Random(7)) for _ in range(3)]
    assert image(Random(7)) != image(Random(8))


ANATOMIES: list[tuple[str, Anatomy, bytes]] = [
    *((kind, formats.IMAGES[kind], data) for kind, files in bases.images().items() for data in files),
    *(("json", formats.JSON_LINES, data) for data in bases.tables()["json"]),
    *(("csv", formats.CSV, data) for data in bases.tables()["csv"]),
    *(("jsonl", formats.JSON_LINES, data) for data in bases.tables()["jsonl"]),
    *(("parquet", PARQUET, data) for data in bases.tables()["parquet"]),
    *(("zip", formats.ZIP, data) for data in bases.zips()),
]


@pytest.mark.parametrize(("kind", "anatomy", "data"), ANATOMIES, ids=[kind for kind, *_ in ANATOMIES])
def test_a_good_file_is_its_pieces_joined(kind: str, anatomy: Anatomy, data: bytes) -> None:
    pieces = anatomy.split(data)
    assert anatomy.join(pieces) == data
    assert pieces
    for piece in pieces:
        inner = anatomy.inner.get(piece.kind)
        assert not inner or kind == "PNG" or inner.join(inner.split(piece.data)) == piece.data
