"""Split as the state machine calls it: real files in, records, rejects and batches out."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from pixlake.errors import BadBundle, BadTable
from pixlake.matching import outputs
from pixlake.messages import Classifiers, Options, SplitAnswer, parse, plain
from pixlake.schemas import CLASSIFY_BATCH, EMBED_BATCH, RECORDS
from tests.builders.split_inputs import Upload

HEADER = ["Type", "Name", "Age", "RescuerID", "VideoAmt", "Description", "PetID", "PhotoAmt", "AdoptionSpeed"]


def put_pets(upload: Upload) -> None:
    """Twelve pets as Kaggle's PetFinder has them: a table in a folder, images in another, other tables beside."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for n in range(12):
        description = f'Nibble {n} is "friendly",\nlikes; children | dogs\n\n'
        writer.writerow(
            [n % 2 + 1, "Nibble" if n % 3 else "", n, f"rescuer{n % 5}", 0, description, pet(n), 1.0, n % 5]
        )
    upload.put_table("train/train.csv", text.getvalue())
    upload.put_table("breed_labels.csv", "BreedID,Type,BreedName\n1,1,Affenpinscher\n2,1,Afghan Hound\n")
    images = {f"train_images/{pet(n)}-{k}.jpg": 100 * k for n in range(9) for k in range(1, n + 2)}
    upload.put_images([images, {"train_images/0ffff-1.jpg": 1, "cover.jpg": 2}])


def pet(number: int) -> str:
    return f"{number:01x}6e1089a{number}"


def test_an_upload_of_pets_needs_no_settings(upload: Upload) -> None:
    put_pets(upload)
    answer = upload.split(shards=2)
    assert (answer.images, answer.records, answer.with_image, answer.orphans) == (47, 12, 9, 2)
    assert answer.id_column == "PetID"
    assert answer.id_column_why == "PetID: 9 of 12 values are image names"
    assert (answer.batches.key, answer.batches.count, answer.models) == ("work/execution-1/batches.json", 0, {})
    assert [(each.source, each.reason) for each in upload.rejects()] == [("breed_labels.csv", "no_id_column")]
    assert answer.rejected == 1
    records = upload.records()
    assert [record["record_id"] for record in records] == sorted(pet(n) for n in range(12))
    assert records[2]["image_paths"] == [f"train_images/{pet(2)}-{k}.jpg" for k in (1, 2, 3)]
    assert [record["has_image"] for record in records] == [True] * 9 + [False] * 3
    assert records[3]["attributes"] == {
        "Type": "2",
        "Name": None,
        "Age": "3",
        "RescuerID": "rescuer3",
        "VideoAmt": "0",
        "Description": 'Nibble 3 is "friendly",\nlikes; children | dogs\n\n',
        "PhotoAmt": "1.0",
        "AdoptionSpeed": "3",
    }
    assert records[0]["uploaded_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert records[0]["processed_at"] == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def test_batches_name_the_container_that_their_model_needs(upload: Upload) -> None:
    put_pets(upload)
    pets, table = upload.put_predictor("pets"), upload.put_bundle("table", "record_classifier")
    options = Options(classifier=Classifiers(with_image="pets", without_image="table"))
    answer = upload.split(options, shards=2, autogluon_image="an image")
    assert [(each.batch_id, each.task, each.model) for each in upload.batches()] == [
        ("classify-000000", "classify_autogluon", pets),
        ("classify-000001", "classify", table),
    ]
    assert answer.models == {"with_image": pets, "without_image": table}


def test_the_roles_of_demo_models_are_told(upload: Upload) -> None:
    put_pets(upload)
    upload.put_bundle("clip", "embedder", rebuild="make demo-models")
    upload.put_bundle("table", "record_classifier", origin="a predictor of ours")
    answer = upload.split(Options(embedder="clip", classifier=Classifiers(without_image="table")), shards=2)
    assert (sorted(answer.models), answer.demo) == (["embedder", "without_image"], ("embedder",))


def test_batches_of_every_modality(upload: Upload) -> None:
    put_pets(upload)
    clip = upload.put_bundle("clip", "embedder")
    both = upload.put_bundle("both", "record_classifier", missing="refuse")
    table = upload.put_bundle("table", "record_classifier")
    kind = upload.put_bundle("kind", "image_classifier")
    options = Options(embedder="clip", classifier=Classifiers("both", "table", "kind"))
    answer = upload.split(options, shards=2, batch_rows=20)
    batches = upload.batches()
    assert answer.batches.count == len(batches)
    assert [(b.batch_id, b.task, b.modality, b.model, b.count) for b in batches] == [
        ("embed-000000", "embed", "image", clip, 16),
        ("embed-000001", "embed", "image", clip, 15),
        ("embed-000002", "embed", "image", clip, 16),
        ("classify-000000", "classify", "image+tabular", both, 9),
        ("classify-000001", "classify", "tabular", table, 3),
        ("classify-000002", "classify", "image", kind, 2),
    ]
    embeds = [upload.batch(f"embed-{n:06}") for n in range(3)]
    rows = [row for batch in embeds for row in batch.to_pylist()]
    assert [row["image_path"] for row in rows] == sorted(row["image_path"] for row in rows)
    assert {row["image_path"]: row["record_id"] for row in rows}["cover.jpg"] is None
    assert all(row["record_id"] in (row["image_path"][13:22], None) for row in rows)
    assert all(row["image_uri"] == f"{upload.lake}/images/{row['image_path']}" for row in rows)
    illustrated, tabular, orphans = (upload.batch(f"classify-{n:06}").to_pylist() for n in range(3))
    assert [row["record_id"] for row in illustrated] == [pet(n) for n in range(9)]
    assert illustrated[1]["image_uris"] == [f"{upload.lake}/images/train_images/{pet(1)}-{k}.jpg" for k in (1, 2)]
    assert [name for name, _ in illustrated[0]["attributes"]] == HEADER
    assert dict(tabular[0]["attributes"])["PetID"] == tabular[0]["record_id"]
    assert tabular[0]["image_paths"] == tabular[0]["image_uris"] == []
    assert [(row["record_id"], row["image_paths"]) for row in orphans] == [
        (None, ["cover.jpg"]),
        (None, ["train_images/0ffff-1.jpg"]),
    ]
    assert orphans[0]["attributes"] == []
    assert batches[3].bytes == sum(100 * k for n in range(9) for k in range(1, n + 2))
    assert (batches[4].bytes, batches[5].bytes) == (0, 3)
    assert sum(batch.bytes for batch in batches[:3]) == batches[3].bytes + 3
    assert upload.batch("embed-000000").schema.equals(EMBED_BATCH)
    for number in range(3):
        assert upload.batch(f"classify-{number:06}").schema.equals(CLASSIFY_BATCH)


@pytest.mark.parametrize(
    ("classifier", "expected"),
    [
        (Classifiers(with_image="x"), [("image+tabular", 9)]),
        (Classifiers(without_image="x"), [("tabular", 12)]),
        (Classifiers(with_image="x", without_image="x"), [("image+tabular", 9), ("tabular", 3)]),
    ],
)
def test_a_record_is_predicted_if_any_model_can(
    upload: Upload, classifier: Classifiers, expected: list[tuple[str, int]]
) -> None:
    put_pets(upload)
    upload.put_bundle("x", "record_classifier")
    upload.split(Options(classifier=classifier), shards=2)
    assert [(batch.modality, batch.count) for batch in upload.batches()] == expected


def test_batches_end_at_their_byte_limit(upload: Upload) -> None:
    upload.put_bundle("clip", "embedder")
    upload.put_images([{f"{n:03}.jpg": 30 for n in range(10)}])
    upload.split(Options(embedder="clip"), batch_rows=100, batch_bytes=100)
    assert sorted((batch.count, batch.bytes) for batch in upload.batches()) == [(2, 60), (2, 60), (3, 90), (3, 90)]


def test_a_second_run_writes_the_same_bytes(upload: Upload) -> None:
    put_pets(upload)
    upload.put_table("more.csv", f"PetID,x\n{pet(3)},1\n,2\n3\n")
    upload.put_bundle("clip", "embedder")
    options = Options(embedder="clip", image_column=None)
    first, files = upload.split(options, shards=2), upload.files()
    assert upload.split(options, shards=2) == first
    assert upload.files() == files
    assert len(files) >= 4


def test_bad_rows_are_rejects_with_their_lines(upload: Upload) -> None:
    upload.put_table("a.csv", b'id,text\n1,"x\ny"\n\n2\n1,again\n" ",z\n3,\xff\n\xc3\xa9,ok\n\xc3\xa8,ok\n')
    upload.put_table("b.csv", "id,text\n 1 ,other file\n4,b\n")
    upload.put_table("c.parquet", b"x")
    upload.put_images([{"4.jpg": 1}])
    answer = upload.split()
    assert [record["record_id"] for record in upload.records()] == ["1", "4", "è", "é"]
    assert [(reject.source, reject.reason, reject.detail) for reject in upload.rejects()] == [
        ("c.parquet", "unreadable_table", upload.rejects()[0].detail),
        ("a.csv:5", "ragged_row", "the row has 1 value, the header names 2 columns"),
        ("a.csv:8", "unreadable_bytes", "the row holds bytes that are no text in the file's encoding"),
        ("a.csv:7", "empty_id", "the row has no value in the id column 'id'"),
        ("a.csv:6", "duplicate_id", "the id '1' is taken by a.csv:2, which stays"),
        ("b.csv:2", "duplicate_id", "the id ' 1 ' is taken by a.csv:2, which stays"),
    ]
    assert answer.rejected == 6
    assert all(reject.stage == "split" for reject in upload.rejects())


def test_many_rejects_are_written_in_parts(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_REJECTS_A_PART", 10)
    upload.put_table("a.csv", "id\n" + "".join(f"{n}\n" for n in range(300)) + "0\n" * 25)
    assert upload.split(shards=0).rejected == 25
    assert [reject.source for reject in upload.rejects()] == [f"a.csv:{line}" for line in range(302, 327)]
    assert {"parts/rejects/split-00000.jsonl", "parts/rejects/split-00002.jsonl"} <= upload.files().keys()


def test_many_records_are_written_in_sorted_parts(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_PART_ROWS", 10)
    upload.put_table("a.csv", "id,n\n" + "".join(f"{n:02},{n}\n" for n in reversed(range(35))))
    upload.put_images([{"07.jpg": 1, "34.jpg": 1}])
    upload.split()
    records = upload.records()
    assert [record["record_id"] for record in records] == [f"{n:02}" for n in range(35)]
    assert [record["attributes"]["n"] for record in records] == [str(n) for n in range(35)]
    assert [record["record_id"] for record in records if record["has_image"]] == ["07", "34"]
    assert len([name for name in upload.files() if name.startswith("parts/records/")]) == 4


def test_records_are_in_the_schema_of_their_table(upload: Upload) -> None:
    put_pets(upload)
    upload.split(shards=2)
    path = Path(upload.work.part("records", "00000").removeprefix("file://"))
    assert pq.read_schema(path).equals(RECORDS.columns)


def test_images_are_matched_by_the_configured_column(upload: Upload) -> None:
    upload.put_table("a.csv", "id,photo\n7,x/b.jpg;a.jpg\n8,missing.jpg\n9,same.jpg\n10,\n11,a.jpg\n")
    upload.put_images([{"x/a.jpg": 1, "x/b.jpg": 1, "x/same.jpg": 1, "y/same.jpg": 1, "y/7.jpg": 1}])
    upload.put_bundle("clip", "embedder")
    answer = upload.split(Options(embedder="clip"))
    images = {record["record_id"]: record["image_paths"] for record in upload.records()}
    assert images == {"10": [], "11": [], "7": ["x/b.jpg", "x/a.jpg"], "8": [], "9": []}
    assert [(reject.source, reject.reason) for reject in upload.rejects()] == [
        ("a.csv:3", "image_not_found"),
        ("a.csv:4", "ambiguous_image"),
        ("a.csv:6", "image_taken"),
    ]
    assert "'missing.jpg'" in upload.rejects()[0].detail
    assert (answer.id_column, answer.with_image, answer.orphans) == ("id", 1, 3)
    owners = {row["image_path"]: row["record_id"] for row in upload.batch("embed-000000").to_pylist()}
    assert owners == {"x/a.jpg": "7", "x/b.jpg": "7", "x/same.jpg": None, "y/same.jpg": None, "y/7.jpg": None}


def test_several_missing_images_of_a_row_are_one_reject_that_names_all(upload: Upload) -> None:
    upload.put_table("a.csv", "id,photo\n7,a.jpg;b.jpg;c.jpg\n8,d.jpg\n")
    upload.put_images([{"b.jpg": 1}])
    assert upload.split().rejected == 2
    assert [(reject.source, reject.detail) for reject in upload.rejects()] == [
        ("a.csv:2", "'photo' names 'a.jpg', 'c.jpg': no image of the upload fits"),
        ("a.csv:3", "'photo' names 'd.jpg': no image of the upload fits"),
    ]


def test_a_column_that_names_one_image_of_several_is_no_image_column(upload: Upload) -> None:
    upload.put_table("a.csv", "PetID,cover\na,a-1.jpg\nb,b-1.jpg\n")
    upload.put_images([{"a-1.jpg": 1, "a-2.jpg": 1, "b-1.jpg": 1}])
    answer = upload.split()
    assert [record["image_paths"] for record in upload.records()] == [["a-1.jpg", "a-2.jpg"], ["b-1.jpg"]]
    assert answer.id_column_why == "PetID: 2 of 2 values are image names"
    told = upload.split(Options(image_column="cover"))
    assert [record["image_paths"] for record in upload.records()] == [["a-1.jpg"], ["b-1.jpg"]]
    assert (told.orphans, told.id_column) == (1, "PetID")
    assert told.id_column_why.endswith("; 'cover' names 2 images")


def test_an_image_column_in_a_file_without_ids_names_no_record(upload: Upload) -> None:
    upload.put_table("a.csv", "id,name\n1,x\n2,y\n")
    upload.put_table("covers.csv", "photo,by\n1.jpg,me\n9.jpg,you\n")
    upload.put_images([{"1.jpg": 1, "9.jpg": 1}])
    answer = upload.split(Options(id_column="id", image_column="photo"))
    assert [record["image_paths"] for record in upload.records()] == [["1.jpg"], []]
    assert answer.orphans == 1


def test_of_tables_with_the_same_ids_the_one_with_most_columns_is_kept(upload: Upload) -> None:
    upload.put_table("sample_submission.csv", "PetID,AdoptionSpeed\na,0\nb,0\n")
    upload.put_table("test/test.csv", "Type,Name,PetID\n1,Nibble,a\n2,Max,b\n")
    upload.put_images([{"a-1.jpg": 1}])
    answer = upload.split()
    assert [record["attributes"]["Name"] for record in upload.records()] == ["Nibble", "Max"]
    assert answer.rejected == 2
    assert [reject.source for reject in upload.rejects()] == ["sample_submission.csv:2", "sample_submission.csv:3"]


def test_an_upload_of_images_alone_has_orphans_only(upload: Upload) -> None:
    upload.put_bundle("clip", "embedder")
    upload.put_images([{"a.jpg": 1}, {"b.jpg": 1}])
    answer = upload.split(Options(embedder="clip", id_column="x", label_column="y"), shards=2)
    assert (answer.images, answer.records, answer.orphans, answer.batches.count) == (2, 0, 2, 1)
    assert (answer.id_column, answer.id_column_why) == (None, "the upload has no table")
    assert upload.records() == []


def test_an_upload_of_a_table_alone_has_no_batches_without_a_classifier(upload: Upload) -> None:
    upload.put_bundle("clip", "embedder")
    upload.put_table("a.csv", "id,x\n1,2\n")
    answer = upload.split(Options(embedder="clip"), shards=0)
    assert (answer.images, answer.records, answer.with_image, answer.orphans, answer.batches.count) == (0, 1, 0, 0, 0)
    assert upload.batches() == []


def test_a_table_of_a_header_alone_has_no_records(upload: Upload) -> None:
    upload.put_table("a.csv", "id,x\n")
    upload.put_images([{"a.jpg": 1}])
    answer = upload.split()
    assert (answer.records, answer.orphans, answer.id_column) == (0, 1, "id")


def test_an_empty_upload_has_no_batches(upload: Upload) -> None:
    answer = upload.split(shards=0)
    assert (answer.images, answer.records, answer.batches.count) == (0, 0, 0)


@pytest.mark.parametrize("option", ["id_column", "image_column", "label_column"])
def test_a_configured_column_that_is_missing_is_refused(upload: Upload, option: str) -> None:
    upload.put_table("a.csv", "id,x\n1,2\n")
    with pytest.raises(BadTable, match=rf"{option}: there is no column 'y'; the columns are 'id', 'x'"):
        upload.split(msgspec.convert({option: "y"}, Options), shards=0)


def test_a_model_that_is_not_there_stops_before_anything_is_written(upload: Upload) -> None:
    put_pets(upload)
    with pytest.raises(BadBundle):
        upload.split(Options(embedder="clip"), shards=2)
    assert not list(upload.folder.glob("work/*/parts/*"))


def test_the_answer_survives_json(upload: Upload) -> None:
    put_pets(upload)
    answer = plain(upload.split(shards=2))
    assert parse(json.loads(json.dumps(answer)), SplitAnswer) == parse(answer, SplitAnswer)


@pytest.mark.parametrize(
    ("images_per_second", "memory", "counts"),
    [
        (1 / 17.97, 1_769, [10, 10, 10]),  # 18 seconds each with decoding, 180 a batch
        (1 / 17.97, 3_538, [15, 15]),  # two cores
        (1e-9, 1_769, [1] * 30),
        (1_000.0, 1_769, [25, 5]),  # the limit of rows comes first
        (None, 1_769, [25, 5]),
        (1 / 17.97, 0, [25, 5]),
    ],
)
def test_batches_are_cut_by_what_an_image_costs(
    upload: Upload, images_per_second: float | None, memory: int, counts: list[int]
) -> None:
    upload.put_bundle("clip", "embedder", images_per_second=images_per_second)
    upload.put_bundle("pets", "image_classifier", images_per_second=images_per_second)
    upload.put_images([{f"{number:02}.jpg": 1 for number in range(30)}])
    options = Options(embedder="clip", classifier=Classifiers(orphan="pets"))
    upload.split(options, batch_rows=25, inference_memory=memory)
    for task in ("embed", "classify"):
        assert sum(batch.count for batch in upload.batches() if batch.task == task) == 30
        found = [batch.count for batch in upload.batches() if batch.task == task]
        assert len(found) == len(counts)
        assert max(found) <= max(counts)
