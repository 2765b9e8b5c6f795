"""A clean upload made by `pixlake check --fix` gives the rows of the one that it was made of."""

from pathlib import Path

from pixlake.iceberg.lakes import Lake
from tests.builders.commands import run
from tests.builders.model_lakes import Row, image, make_zip, rows

_TIMES_AND_PLACES = ("experiment_id", "uploaded_at", "processed_at", "image_uri")


def without_times(found: list[Row]) -> list[Row]:
    return [{name: row[name] for name in row if name not in _TIMES_AND_PLACES} for row in found]


def test_a_clean_upload_gives_the_same_rows_and_no_rejects(model_lake: Lake, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "pixlake.json": '{"embedder": "tiny", "classifier": {"with_image": "colors", "without_image": "ages"}}',
        "pets.csv": "id;Age;Name\n01;1;Rex\n02;-1;\n03;1;Tom\n;9;nobody\n02;8;again\n04;ragged\n",
        "01.png": image(),
        "02.png": image((0, 0, 255)),
        "03.png": b"no image",
        "stray.png": image((0, 255, 0)),
    }
    upload = make_zip(tmp_path / "dirty.zip", files)
    lake = ("--lake", model_lake.folder)
    assert run("check", upload, "--fix", tmp_path / "clean.zip", *lake).exit_code == 1
    assert run("check", tmp_path / "clean.zip", *lake).exit_code == 0
    for path in (upload, tmp_path / "clean.zip"):
        done = run("run", path, *lake)
        assert done.exit_code == 0, done.output
    for table in ("records", "embeddings"):
        clean = without_times(rows(model_lake, table, "clean"))
        assert (len(clean), clean) == (3, without_times(rows(model_lake, table, "dirty")))
    # by the model of records without images, which the one of a broken image is from the start
    assert {
        row["record_id"]: row["model"].partition("@")[0]
        for row in rows(model_lake, "predictions", "clean")
        if row["record_id"]
    } == {
        "01": "colors",
        "02": "colors",
        "03": "ages",
    }
    assert (len(rows(model_lake, "rejects", "dirty")) >= 4, rows(model_lake, "rejects", "clean")) == (True, [])
