"""`pixlake check --fix`: a clean upload made of what is good of another."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.builders.commands import run
from tests.builders.model_lakes import image, make_zip
from tests.builders.workbooks import workbook
from tests.builders.zips import Part, build

DIRTY: dict[str, bytes | str] = {
    "pets.csv": "id;Name;Age\n01;Rex;3\n02;Ann, the cat;5\n;nobody;7\n02;again;6\n03;ragged\n04;;9\n",
    "images/01.png": image(),
    "images/02-1.png": image((0, 0, 255)),
    "images/02-2.png": image()[:50],
    "images/stray.png": image((0, 255, 0)),
    "notes.docx": b"x",
}


def fix(upload: Path, out: Path, *options: object) -> tuple[int, dict[str, Any]]:
    result = run("check", upload, "--fix", out, "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def check(upload: Path, *options: object) -> tuple[int, dict[str, Any]]:
    result = run("check", upload, "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_the_good_images_and_rows_make_an_upload_that_is_clean(tmp_path: Path) -> None:
    out = tmp_path / "clean.zip"
    code, found = fix(make_zip(tmp_path / "pets.zip", DIRTY), out)
    assert (code, len(found["rejects"])) == (1, 5)
    assert found["fixed"] == {
        "path": str(out),
        "images": 3,
        "records": 3,
        "names": 0,
        "imageless": [],
        "rewritten": ["pets.csv"],
        "remaining": [],
    }
    inside = members(out)
    assert set(inside) == {"pets.csv", "pixlake.json", *(f"images/{name}.png" for name in ("01", "02-1", "stray"))}
    assert {name: inside[name] for name in inside if name.endswith("png")} == {
        name: data for name, data in DIRTY.items() if name in inside and name.endswith("png")
    }
    assert rows(inside["pets.csv"]) == [
        {"id": "01", "Name": "Rex", "Age": "3"},
        {"id": "02", "Name": "Ann, the cat", "Age": "5"},
        {"id": "04", "Name": "", "Age": "9"},
    ]
    assert json.loads(inside["pixlake.json"]) == {"id_column": "id"}
    code, again = check(out, "--experiment", "pets")
    assert (code, again["rejects"], again["warnings"]) == (0, [], [])
    counts = ("images", "records", "with_image", "orphans")
    assert [again[name] for name in counts] == [3, 3, 2, 1]


def test_a_table_that_is_good_is_copied_as_it_is(tmp_path: Path) -> None:
    table = "id;Name\r\n01;R\xf6x\r\n02;Ann\r\n".encode("cp1252")
    make_zip(tmp_path / "pets.zip", DIRTY | {"pets.csv": table})
    _, found = fix(tmp_path / "pets.zip", tmp_path / "clean.zip")
    assert (found["fixed"]["rewritten"], members(tmp_path / "clean.zip")["pets.csv"]) == ([], table)


def test_a_name_of_an_image_that_is_left_out_is_taken_out_of_its_cell(tmp_path: Path) -> None:
    table = (
        "code,photo,note\n"
        "a,x.png,one\nb,y.png;gone.png;z.png,two\nc,broken.png,three\nd,x.png,taken\ne,gone.png;y2.png,last\n"
    )
    images: dict[str, bytes | str] = {f"{name}.png": image() for name in ("x", "y", "z", "y2")}
    upload = make_zip(tmp_path / "pets.zip", {"pets.csv": table, "broken.png": b"no image", **images})
    _, found = fix(upload, tmp_path / "clean.zip")
    assert (found["fixed"]["names"], found["fixed"]["records"], found["fixed"]["remaining"]) == (4, 5, [])
    inside = members(tmp_path / "clean.zip")
    assert [row["photo"] for row in rows(inside["pets.csv"])] == ["x.png", '["y.png","z.png"]', "", "", "y2.png"]
    assert json.loads(inside["pixlake.json"]) == {"id_column": "code", "image_column": "photo"}
    code, again = check(tmp_path / "clean.zip")
    assert (code, again["with_image"], again["orphans"]) == (0, 3, 0)


def test_a_row_whose_id_is_a_missing_image_goes_with_it(tmp_path: Path) -> None:
    table = "file,species\na.png,cat\nb.png,dog\ngone.png,cat\nc.png,cat\n"
    images = {"a.png": image(), "b.png": image(), "c.png": b"no image"}
    _, found = fix(make_zip(tmp_path / "pets.zip", {"pets.csv": table, **images}), tmp_path / "clean.zip")
    assert (found["fixed"]["imageless"], found["fixed"]["remaining"]) == (["pets.csv:4", "pets.csv:5"], [])
    assert [row["file"] for row in rows(members(tmp_path / "clean.zip")["pets.csv"])] == ["a.png", "b.png"]
    assert check(tmp_path / "clean.zip")[0] == 0


def test_a_row_that_only_adds_an_image_to_a_record_goes_with_it(tmp_path: Path) -> None:
    table = "code,photo,note\na,a1.png,one\na,a2.png,one\nb,b1.png,two\nc,c1.png,three\nc,c2.png,three\n"
    images: dict[str, bytes | str] = {f"{name}.png": image() for name in ("a1", "b1", "c2")}
    broken: dict[str, bytes | str] = {"a2.png": b"no image", "c1.png": b"no image"}
    _, found = fix(make_zip(tmp_path / "pets.zip", {"pets.csv": table, **images, **broken}), tmp_path / "clean.zip")
    assert (found["fixed"]["imageless"], found["fixed"]["names"], found["fixed"]["records"]) == ([], 2, 3)
    inside = rows(members(tmp_path / "clean.zip")["pets.csv"])
    assert [(row["code"], row["photo"]) for row in inside] == [
        ("a", "a1.png"),
        ("b", "b1.png"),
        ("c", ""),
        ("c", "c2.png"),
    ]
    code, again = check(tmp_path / "clean.zip")
    assert (code, again["records"], again["with_image"]) == (0, 3, 3)


def test_tables_of_every_kind_keep_their_values(tmp_path: Path) -> None:
    sheet: list[list[str | None]] = [["id", "Name"], ["1", "Rex"], ["2", 'a "b", c\nd'], [None, "nobody"]]
    parquet = io.BytesIO()
    pq.write_table(pa.table({"id": ["5", None], "Name": ["", "x"], "Age": [1.5, 2.0]}), parquet)
    tables: dict[str, bytes | str] = {
        "book.xlsx": workbook({"pets": sheet}),
        "more.tsv": "id\tName\n3\tTom, Jr\n\tx\n",
        "lines.jsonl": '{"id": 4, "Name": "", "tags": ["a", null], "n": 1e400}\n{"Name": "x"}\n',
        "deep/columns.parquet": parquet.getvalue(),
    }
    code, before = check(make_zip(tmp_path / "pets.zip", tables))
    assert code == 1
    _, found = fix(tmp_path / "pets.zip", tmp_path / "clean.zip")
    inside = members(tmp_path / "clean.zip")
    assert set(inside) == {"book.csv", "more.tsv", "lines.jsonl", "deep/columns.parquet", "pixlake.json"}
    assert rows(inside["book.csv"]) == [{"id": "1", "Name": "Rex"}, {"id": "2", "Name": 'a "b", c\nd'}]
    assert inside["more.tsv"].decode() == '"id"\t"Name"\n"3"\t"Tom, Jr"\n'
    code, after = check(tmp_path / "clean.zip")
    assert (code, after["records"], found["fixed"]["records"]) == (0, before["records"], 5)


def test_sheets_become_files_of_their_own(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "2024": [["id", "Name"], ["1", "Rex"]],
        "2025 new": [["id", "Name"], ["2", "Ann"], [None, "x"]],
    }
    upload = make_zip(tmp_path / "pets.zip", {"pets.xlsx": workbook(sheets), "pets-2024.csv": "id,Name\n9,Tom\n"})
    fix(upload, tmp_path / "clean.zip")
    assert set(members(tmp_path / "clean.zip")) == {
        "pets-2024.csv",
        "pets-2024-2.csv",
        "pets-2025-new.csv",
        "pixlake.json",
    }
    code, again = check(tmp_path / "clean.zip")
    assert (code, again["records"]) == (0, 3)


def test_options_of_the_upload_and_of_the_command_are_kept_and_empty_ones_too(tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", DIRTY | {"pixlake.json": '{"embedder": "", "label_column": "Age"}'})
    fix(upload, tmp_path / "clean.zip", "--complete", "--set", "label_column=Name")
    assert json.loads(members(tmp_path / "clean.zip")["pixlake.json"]) == {
        "id_column": "id",
        "label_column": "Name",
        "embedder": "",
        "complete": True,
    }


def test_folders_and_damaged_members_are_fixed_alike(tmp_path: Path) -> None:
    path = tmp_path / "pets.zip"
    path.write_bytes(build(Part(b"a.png", image(), crc=1), Part("b ü.png".encode(), image(), flags=1 << 11)))
    fix(path, tmp_path / "clean.zip")
    assert members(tmp_path / "clean.zip") == {"b ü.png": image()}
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/a.png").write_bytes(image())
    (folder / "deep/b.png").write_bytes(b"")
    fix(folder, tmp_path / "clean.zip")
    assert members(tmp_path / "clean.zip") == {"deep/a.png": image()}


def test_two_paths_that_differ_in_case_alone_are_both_kept(tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", {"a.png": image(), "A.png": image(), "b.png": b""})
    _, found = fix(upload, tmp_path / "clean.zip")
    assert set(members(tmp_path / "clean.zip")) == {"a.png", "A.png"}
    assert [reject["reason"] for reject in found["fixed"]["remaining"]] == ["case_collision"]


def test_it_is_never_written_over_or_into_the_upload(tmp_path: Path) -> None:
    upload = make_zip(tmp_path / "pets.zip", DIRTY)
    before = upload.read_bytes()
    (tmp_path / "link.zip").symlink_to(upload)
    for out in (upload, tmp_path / "link.zip"):
        result = run("check", upload, "--fix", out)
        assert (result.exit_code, "is the upload" in result.stderr) == (2, True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.png").write_bytes(image())
    result = run("check", tmp_path / "folder", "--fix", tmp_path / "folder/clean.zip")
    assert (result.exit_code, "lies in the upload" in result.stderr) == (2, True)
    assert (upload.read_bytes(), sorted(each.name for each in (tmp_path / "folder").iterdir())) == (before, ["a.png"])
    assert run("check", upload, "--fix", tmp_path / "clean.txt").exit_code == 2


@pytest.mark.parametrize(("parts", "code"), [((Part(b"../a.png", image()),), 2), ((Part(b"a.png", b"no image"),), 1)])
def test_nothing_is_written_where_nothing_is_good(tmp_path: Path, parts: tuple[Part, ...], code: int) -> None:
    upload, out = tmp_path / "pets.zip", tmp_path / "out/clean.zip"
    upload.write_bytes(build(*parts))
    out.parent.mkdir()
    out.write_bytes(b"older")
    result = run("check", upload, "--fix", out)
    assert (result.exit_code, out.read_bytes(), len(list(out.parent.iterdir()))) == (code, b"older", 1)
    assert f"{out} was not written" in result.stdout


def test_for_people_it_lists_what_is_left_out_and_what_the_clean_upload_holds(tmp_path: Path) -> None:
    broken = {f"images/bad{number}.png": b"x" for number in range(5)}
    result = run("check", make_zip(tmp_path / "pets.zip", DIRTY | broken), "--fix", tmp_path / "clean.zip")
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0].strip() for line in lines if "images/bad" in line] == list(broken)
    assert lines[-3:] == [
        "10 would be rejected",
        f"{tmp_path}/clean.zip: 3 images, 3 records; written again: pets.csv",
        f"Run it: pixlake run {tmp_path}/clean.zip --experiment pets",
    ]
