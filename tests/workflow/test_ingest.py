"""The main job end to end, with the real functions: from an upload to the rows of the tables."""

import csv
import io
import itertools
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pixlake.failures import MAP_FAILED
from pixlake.iceberg.lakes import Lake
from pixlake.messages import Options
from pixlake_cli.checking import check_upload
from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from tests.builders.model_lakes import MODELS, Row, image, make_lake, make_zip, rows
from tests.project import ROOT

TABLES = ("embeddings", "predictions", "records", "rejects")


@dataclass
class Ingest:
    """A warm engine over one lake; tests keep to experiments of their own."""

    engine: Engine
    lake: Lake
    folder: Path
    numbers: "itertools.count[int]"

    def run(self, upload: Path, experiment: str, **extra: Any) -> Outcome:
        uri = f"file://{upload}/" if upload.is_dir() else f"file://{upload}"
        request = {"upload_uri": uri, "experiment_id": experiment, **extra}
        return self.engine.execute(f"{experiment}-{next(self.numbers)}", request)

    def good(self, upload: Path, experiment: str, **extra: Any) -> Row:
        outcome = self.run(upload, experiment, **extra)
        assert outcome.status == "SUCCEEDED", (outcome.state, outcome.error, outcome.cause)
        return outcome.output

    def rows(self, table: str, experiment: str) -> list[Row]:
        return rows(self.lake, table, experiment)

    def everything(self, experiment: str) -> dict[str, list[Row]]:
        return {table: self.rows(table, experiment) for table in TABLES}


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    folder = tmp_path_factory.mktemp("ingest")
    lake = make_lake(folder / "lake")
    with Engine(lake.uri, lake.catalog_uri, MODELS, ROOT) as engine:
        yield Ingest(engine, lake, folder, itertools.count())
    shutil.rmtree(engine.logs, ignore_errors=True)


PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n01,3\n02,5\n03,7\n",
    "images/01.png": image((255, 0, 0)),
    "images/02-1.png": image((0, 255, 0)),
    "images/02-2.png": image((0, 0, 255)),
    "images/stray.png": image((9, 9, 9)),
}


def test_images_and_records_become_rows(ingest: Ingest, tmp_path: Path) -> None:
    output = ingest.good(make_zip(tmp_path / "pets.zip", PETS), "pets")
    counts = {key: output[key] for key in ("images", "records", "embedded", "predicted", "rejected")}
    assert counts == {"images": 4, "records": 3, "embedded": 4, "predicted": 3, "rejected": 0}
    owners = {row["image_path"]: row["record_id"] for row in ingest.rows("embeddings", "pets")}
    assert owners == {"images/01.png": "01", "images/02-1.png": "02", "images/02-2.png": "02", "images/stray.png": None}
    predictions = {row["record_id"]: row for row in ingest.rows("predictions", "pets")}
    assert {key: row["modality"] for key, row in predictions.items()} == {
        "01": "image+tabular",
        "02": "image+tabular",
        "03": "tabular",
    }
    assert predictions["01"]["label"] == "red"
    assert [row["has_image"] for row in ingest.rows("records", "pets")] == [True, True, False]
    report = Path(output["report_uri"].removeprefix("file://"))
    assert "pets" in report.read_text()


def test_uploading_again_leaves_the_same_rows(ingest: Ingest, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "again.zip", PETS)
    first = ingest.good(upload, "again")
    before = ingest.everything("again")
    second = ingest.good(upload, "again")
    assert ingest.everything("again") == before
    assert first["embedded"] == second["embedded"]
    assert len(rows(ingest.lake, "executions", "again")) == 2


def test_a_newer_upload_of_one_image_replaces_just_its_row(ingest: Ingest, tmp_path: Path) -> None:
    older, newer = {"uploaded_at": "2026-01-01T00:00:00Z"}, {"uploaded_at": "2026-02-01T00:00:00Z"}
    ingest.good(make_zip(tmp_path / "old.zip", PETS), "newer", **older)
    before = ingest.everything("newer")
    one = make_zip(tmp_path / "new.zip", {"images/01.png": image((0, 255, 0))})
    ingest.good(one, "newer", **newer)
    after = ingest.everything("newer")
    changed = [row["image_path"] for row in after["embeddings"] if row not in before["embeddings"]]
    assert changed == ["images/01.png"]
    assert len(after["embeddings"]) == 4
    assert after["records"] == before["records"]
    # the older upload once more, which ends last: it must not win
    ingest.good(make_zip(tmp_path / "old2.zip", {**PETS, "more.png": image()}), "newer", **older)
    now = {row["image_path"]: row for row in ingest.rows("embeddings", "newer")}
    assert now["images/01.png"] == after["embeddings"][0]
    assert len(now) == 5


def test_an_upload_in_petfinders_layout_needs_no_settings(ingest: Ingest, tmp_path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Type", "Name", "Age", "Breed1", "RescuerID", "Description", "PetID", "PhotoAmt", "AdoptionSpeed"])
    ids = [f"{number * 7919:09x}" for number in range(1, 41)]
    for number, pet in enumerate(ids):
        story = f'Found in "Kuala, Lumpur",\nvery shy.\r\nCall {number}.'
        photos = 0 if number % 10 == 9 else 1 + number % 3
        rescuer = f"{number % 5:032x}"
        writer.writerow([1 + number % 2, "", number % 24, 265, rescuer, story, pet, photos, number % 5])
    members: dict[str, bytes | str] = {"train.csv": text.getvalue()}
    for number, pet in enumerate(ids):
        if number % 10 != 9:
            members |= {f"train_images/{pet}-{photo}.jpg": jpeg(number) for photo in range(1, 2 + number % 3)}
    output = ingest.good(make_zip(tmp_path / "petfinder.zip", members), "petfinder")
    assert (output["records"], output["images"], output["rejected"]) == (40, len(members) - 1, 0)
    records = {row["record_id"]: row for row in ingest.rows("records", "petfinder")}
    assert list(records) == sorted(ids)
    assert len(records[ids[2]]["image_paths"]) == 3
    assert [pet for pet in ids if not records[pet]["has_image"]] == ids[9::10]
    attributes = dict(records[ids[0]]["attributes"])
    assert attributes["Description"] == 'Found in "Kuala, Lumpur",\nvery shy.\r\nCall 0.'
    assert all(row["record_id"] in records for row in ingest.rows("embeddings", "petfinder"))


def jpeg(shade: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (shade * 6, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_hostile_zip_is_refused_with_a_report_and_changes_no_table(ingest: Ingest, tmp_path: Path) -> None:
    ingest.good(make_zip(tmp_path / "fine.zip", PETS), "hostile")
    before = ingest.everything("hostile")
    outcome = ingest.run(make_zip(tmp_path / "evil.zip", {**PETS, "../../evil.png": image()}), "hostile")
    assert (outcome.status, outcome.error, outcome.state) == ("FAILED", "BadUpload", "Plan")
    assert not (ingest.folder / "evil.png").exists()
    after = ingest.everything("hostile")
    assert {table: after[table] for table in TABLES[:3]} == {table: before[table] for table in TABLES[:3]}
    assert len(after["rejects"]) == 1
    executions = {row["execution_id"]: row["status"] for row in rows(ingest.lake, "executions", "hostile")}
    assert executions[outcome.name] == "FAILED"
    report = Path(ingest.lake.uri.removeprefix("file://")) / "reports" / f"{outcome.name}.html"
    assert "evil.png" in report.read_text()


def test_a_zip_bomb_that_lies_about_its_size_fails_the_execution_with_a_page(ingest: Ingest, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "bomb.zip", {"a.png": b"0" * 100_000})
    data = upload.read_bytes()
    true, lie = (100_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little")
    assert data.count(true) == 2
    upload.write_bytes(data.replace(true, lie))
    outcome = ingest.run(upload, "bomb")
    assert (outcome.status, outcome.state, outcome.error) == ("FAILED", "Extract", MAP_FAILED)
    (reject,) = ingest.rows("rejects", "bomb")
    assert (reject["stage"], reject["reason"]) == ("extract", "bomb")
    report = Path(ingest.lake.uri.removeprefix("file://")) / "reports" / f"{outcome.name}.html"
    assert "BadUpload" in report.read_text()
    assert ingest.rows("embeddings", "bomb") == []


def test_a_damaged_member_is_one_reject(ingest: Ingest, tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "damaged.zip", PETS, zipfile.ZIP_STORED)
    with zipfile.ZipFile(upload) as archive:
        start = archive.getinfo("images/02-1.png").header_offset + 30 + len("images/02-1.png")  # past its local header
    data = bytearray(upload.read_bytes())
    data[start + 20] ^= 0xFF
    upload.write_bytes(data)
    ingest.good(upload, "damaged")
    assert [row["image_path"] for row in ingest.rows("embeddings", "damaged")] == sorted(
        set(PETS) - {"pets.csv", "images/02-1.png"}
    )
    assert [row["source"] for row in ingest.rows("rejects", "damaged")] == ["images/02-1.png"]


def test_uploads_of_tables_alone_and_images_alone_become_rows(ingest: Ingest, tmp_path: Path) -> None:
    only_table = make_zip(tmp_path / "table.zip", {"pets.csv": PETS["pets.csv"]})
    assert ingest.good(only_table, "alone")["predicted"] == 3
    folder = tmp_path / "images alone"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "ä b.png").write_bytes(image())
    assert ingest.good(folder, "alone")["embedded"] == 1
    assert [row["image_path"] for row in ingest.rows("embeddings", "alone")] == ["sub/ä b.png"]


def test_the_sample_becomes_rows(ingest: Ingest) -> None:
    sample = ROOT / "samples" / "emoji.zip"
    with zipfile.ZipFile(sample) as archive:
        files = [each.filename for each in archive.infolist() if each.file_size]
        images = [name for name in files if name.lower().endswith((".png", ".jpg", ".webp", ".gif"))]
        ids = {line.partition(b",")[0] for line in archive.read("emoji.csv").splitlines()[1:]}
    models = {"embedder": "tiny", "classifier": {"with_image": "colors", "without_image": "ages"}}
    output = ingest.good(sample, "emoji", options=models)
    rejected = {row["source"] for row in ingest.rows("rejects", "emoji")}
    assert output["images"] == len(images)
    assert output["embedded"] == len([name for name in images if name not in rejected])
    records = ingest.rows("records", "emoji")
    assert {row["record_id"].encode() for row in records} <= ids
    unreadable = {row["record_id"] for row in records} & rejected
    assert not [row for row in records if set(row["image_paths"]) & rejected]
    assert output["records"] == len(records) == output["predicted"] + len(unreadable)
    assert output["rejected"] == len(ingest.rows("rejects", "emoji")) > 0


def test_a_check_names_what_the_run_then_rejects(ingest: Ingest, tmp_path: Path) -> None:
    dirty = PETS | {
        "pets.csv": "id,Age\n01,3\n02,5\n,7\n02,6\n03,1,2\n",
        "images/01.png": image()[:50],
        "images/03.png": b"",
        "notes.docx": b"x",
    }
    upload = make_zip(tmp_path / "checked.zip", dirty)
    checked = check_upload([upload], ingest.lake, "checked", Options(), lambda *_: None)
    output = ingest.good(upload, "checked")
    found = {(row["source"], row["reason"]) for row in ingest.rows("rejects", "checked")}
    # what follows for the record, whose only image is broken, the model that was asked says
    assert {(reject.source, reject.reason) for reject in checked.rejects} == found - {("01", "missing_image")}
    assert (checked.images, checked.records) == (output["images"], output["records"])
