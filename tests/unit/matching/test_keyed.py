"""The id column of an experiment is chosen once: later uploads keep it, or are refused."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pixlake.errors import BadUpload
from pixlake.experiments import Experiment, keep_experiment, read_experiment
from pixlake.messages import Options
from tests.builders.museum import RECORDS, Museum, first_photograph, museum, number, photographs, table

IMAGES = sorted(path for _, path in photographs("DSC_{any:04d}.jpg"))
PHOTOS = [first_photograph(row, "DSC_{any:04d}.jpg") for row in RECORDS]


@pytest.fixture
def lake(tmp_path: Path) -> Museum:
    return Museum(tmp_path)


def test_a_corrected_upload_keeps_the_ids(lake: Museum) -> None:
    """The column that names images is filled to 88 % at first, then to 91 %, which makes it look like an id."""
    for _ in range(2):
        first = lake.keep(lake.put(table(museum(photo=PHOTOS)), IMAGES))
        assert first.answer.id_column == "inv_no"
        rows = RECORDS[:31]
        second = lake.put(table(museum(rows, photo=PHOTOS[:31])), IMAGES)
        assert (second.answer.id_column, second.answer.records, second.answer.rejected) == ("inv_no", 31, 0)
        assert second.images == first.images


def test_without_a_memory_the_corrected_upload_says_the_same(lake: Museum) -> None:
    found = lake.put(table(museum(RECORDS[:31], photo=PHOTOS[:31])), IMAGES)
    assert (found.answer.id_column, found.answer.records) == ("inv_no", 31)


def test_the_column_is_kept_though_another_looks_better_now(lake: Museum) -> None:
    lake.keep(lake.put(table({"name": ["a", "b", "c"], "x": ["1.5", "2.5", "3.5"]}), ["a.jpg"]))
    again = lake.put(table({"id": ["1", "2", "4"], "name": ["a", "b", "c"]}), ["1.jpg", "2.jpg"])
    assert again.answer.id_column == "name"
    assert again.answer.id_column_why == "name: the id column of this experiment since upload-1.zip"


def test_a_table_without_the_column_is_refused(lake: Museum) -> None:
    lake.keep(lake.put(table(museum()), []))
    columns = {"object" if name == "inv_no" else name: values for name, values in museum().items()}
    with pytest.raises(BadUpload) as refused:
        lake.put(table(columns), [])
    assert refused.value.reason == "other_id_column"
    assert str(refused.value) == (
        "other_id_column: the experiment 'museum' is keyed by 'inv_no' since upload-1.zip, and the columns of this"
        " upload are 'object', 'title', 'maker', 'height_cm'; set id_column to 'inv_no' in pixlake.json if the table"
        " has it, or upload to another experiment"
    )


def test_a_table_whose_column_is_nearly_called_so_is_refused_with_its_name(lake: Museum) -> None:
    lake.keep(lake.put(table(museum()), []))
    columns = {"Inv No" if name == "inv_no" else name: values for name, values in museum().items()}
    with pytest.raises(BadUpload, match=r"'height_cm' \(is 'Inv No' meant\? Then call it 'inv_no'\); set id_column"):
        lake.put(table(columns), [])


@pytest.mark.parametrize(
    "ids",
    [
        [number(row) if row < 16 else "" for row in RECORDS],
        [number(row % 16) for row in RECORDS],
        [number(row % 20) if row < 30 else "" for row in RECORDS][::-1] + [""] * 0,
    ],
    ids=["empty", "repeated", "a little of both"],
)
def test_a_column_that_is_no_key_any_more(lake: Museum, ids: list[str]) -> None:
    lake.keep(lake.put(table(museum()), []))
    text = table({**museum(), "inv_no": ids})
    usable = len(set(ids) - {""})
    if usable >= 17:
        assert lake.put(text, []).answer.records == usable
        return
    with pytest.raises(
        BadUpload, match=r"in this upload \d+ of 33 rows have no value there, and \d+ one that another row"
    ):
        lake.put(text, [])
    told = lake.put(text, [], Options(id_column="inv_no"))
    assert (told.answer.records, told.answer.rejected) == (usable, 33 - usable)


def test_another_column_that_is_told_is_refused(lake: Museum) -> None:
    lake.keep(lake.put(table(museum()), []))
    with pytest.raises(BadUpload, match=r"keyed by 'inv_no' since upload-1\.zip, and id_column is 'title' here"):
        lake.put(table(museum()), [], Options(id_column="title"))


def test_rows_of_one_record_s_images_are_no_repetition(lake: Museum) -> None:
    """Three rows a record, which differ in the image alone."""
    lake.keep(lake.put(table(museum()), []))
    rows = [row for row in RECORDS[:12] for _ in range(3)]
    found = lake.put(table(museum(rows, photo=IMAGES[:36])), IMAGES)
    assert (found.answer.records, found.answer.rejected) == (12, 0)
    assert found.images[number(1)] == IMAGES[3:6]


def test_a_correction_that_names_images_of_before_says_that_nothing_is_lost(lake: Museum) -> None:
    text = table(museum(photo=IMAGES[: len(RECORDS)]))
    first = lake.put(text, IMAGES[1:])
    assert "keeps its images" not in first.rejects[0].detail
    lake.keep(first)
    again = lake.put(text, IMAGES[:2])
    assert {reject.reason for reject in again.rejects} == {"image_not_found"}
    assert all("a record that the lake has keeps its images" in reject.detail for reject in again.rejects)


def test_a_complete_upload_that_names_images_of_before_says_that_they_go(lake: Museum) -> None:
    lake.keep(lake.put(table(museum(photo=PHOTOS)), IMAGES))
    whole = lake.put(table(museum(photo=PHOTOS)), IMAGES[:2], Options(complete=True))
    assert whole.rejects
    assert all("keeps its images" not in reject.detail for reject in whole.rejects)
    assert all("whole experiment: the record is without it" in reject.detail for reject in whole.rejects)
    assert f"Of 'photo' {len(whole.rejects)} names fit no image of the upload, which is the whole" in whole.said


@pytest.mark.parametrize(("images", "complete"), [([], True), ([], False), (IMAGES, True)])
def test_a_complete_table_without_images_says_that_those_of_the_lake_go(
    lake: Museum, images: list[str], complete: bool
) -> None:
    lake.keep(lake.put(table(museum(photo=PHOTOS)), IMAGES))
    found = lake.put(table(museum(photo=PHOTOS)), images, Options(complete=complete))
    assert ("has no image: those of the lake go" in found.said) == (complete and not images)


def test_images_alone_need_no_id_column(lake: Museum) -> None:
    lake.keep(lake.put(table(museum()), []))
    assert lake.put({}, IMAGES).answer.orphans == 38


def test_of_first_uploads_at_once_one_decides(tmp_path: Path) -> None:
    lake = f"file://{tmp_path}"

    def keep(place: int) -> str:
        try:
            keep_experiment(lake, "museum", Experiment(f"column {place % 2}", f"{place}.zip"))
        except BadUpload as refused:
            return refused.reason
        return f"column {place % 2}"

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(keep, range(32)))
    kept = read_experiment(lake, "museum")
    assert kept is not None
    assert {(place % 2, end) for place, end in enumerate(ends)} == {
        (int(kept.id_column[-1]), kept.id_column),
        (1 - int(kept.id_column[-1]), "other_id_column"),
    }


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    assert read_experiment(f"file://{tmp_path}", "museum") is None
