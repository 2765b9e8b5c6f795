"""Images and records taken out of an experiment: no row names them, and every other row is as it was."""

from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.expressions.literals import literal

from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.erasure import Subjects, erase_rows, find_rows, with_images
from pixlake.schemas import TABLES
from tests.builders.executions import Execution, TableLake
from tests.builders.histories import Tables, uploads
from tests.builders.tables import Said, assert_agreement, tabulate
from tests.doubles.tables import MemoryCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog


def erase(tables: Tables, images: Set[str] = frozenset(), records: Set[str] = frozenset()) -> Subjects:
    catalog = cast("Catalog", tables.catalog)
    subjects = with_images(catalog, Subjects(tables.experiment, frozenset(images), frozenset(records)))
    erase_rows(catalog, subjects)
    assert all(not rows.num_rows for rows in find_rows(catalog, subjects).values())
    return subjects


def names(tables: Tables) -> str:
    """All values of all rows, those of `links` among them."""
    here = EqualTo(term=Reference("experiment_id"), value=literal(tables.experiment))
    loaded = (tables.catalog.load_table((tables.catalog.name, name)) for name in TABLES)
    return str([list(row.values()) for table in loaded for row in table.scan(row_filter=here).rows()])


def without(rows: dict[str, dict[Any, Any]], subjects: Subjects) -> dict[str, dict[Any, Any]]:
    gone = {None} | subjects.records | subjects.images
    return {
        "records": {
            record: (day, what, [path for path in paths if path not in subjects.images])
            for record, (day, what, paths) in rows["records"].items()
            if record not in subjects.records
        },
        "embeddings": {path: row for path, row in rows["embeddings"].items() if path not in subjects.images},
        "predictions": {key: row for key, row in rows["predictions"].items() if not gone.issuperset(key)},
    }


@settings(max_examples=25)
@given(uploads(complete=False), st.sets(st.sampled_from("pqr")), st.sets(st.sampled_from("ab")))
def test_every_other_row_stays_as_it_was(
    catalog: MemoryCatalog, some: list[Said], images: set[str], records: set[str]
) -> None:
    tables = Tables(catalog)
    tables.put(*some)
    before = tabulate(tables.rows())
    subjects = erase(tables, images, records)
    after = tables.rows()
    assert_agreement(after)
    assert tabulate(after) == without(before, subjects)
    erase(tables, images, records)
    assert tabulate(tables.rows()) == without(before, subjects)


def test_no_row_of_any_table_names_an_erased_image(tables: Tables) -> None:
    tables.put(Said(1, {"a": ["wanda"], "b": ["q"]}, ["wanda-2"]))
    erase(tables, images={"wanda", "wanda-2"})
    assert "wanda" not in names(tables)
    assert tables.rows()["records"][0]["has_image"] is False


def test_a_record_goes_with_all_images_that_were_ever_its_own(tables: Tables) -> None:
    tables.put(Said(1, {"wanda": ["p"], "b": ["r"]}), Said(2, {"wanda": ["q"], "b": ["s"]}))
    subjects = erase(tables, records={"wanda"})
    assert subjects.images == {"p", "q"}
    assert "wanda" not in names(tables)
    assert sorted(tabulate(tables.rows())["embeddings"]) == ["r", "s"]


def test_an_image_that_another_record_has_by_now_stays(tables: Tables) -> None:
    tables.put(Said(1, {"wanda": ["p"]}), Said(2, {"b": ["p"]}))
    assert erase(tables, records={"wanda"}).images == set()
    assert tabulate(tables.rows())["embeddings"] == {"p": (2, "x", "b")}


def test_a_record_gets_no_earlier_image_back_for_an_erased_one(tables: Tables) -> None:
    tables.put(Said(1, {"a": ["p"]}), Said(3, {"a": ["q"]}))
    erase(tables, images={"q"})
    assert tabulate(tables.rows())["records"] == {"a": (3, "x", [])}
    tables.put(Said(2, {"a": ["r"]}))
    assert tabulate(tables.rows())["records"] == {"a": (3, "x", [])}


def test_a_newer_upload_brings_an_erased_image_back(tables: Tables) -> None:
    tables.put(Said(1, {"a": ["p"]}))
    erase(tables, images={"p"})
    tables.put(Said(2, {"a": ["p"]}))
    rows = tables.rows()
    assert_agreement(rows)
    assert tabulate(rows)["records"] == {"a": (2, "x", ["p"])}


def test_the_same_upload_put_in_again_brings_it_back(tables: Tables) -> None:
    tables.put(Said(1, {"a": ["p"]}))
    erase(tables, records={"a"})
    tables.put(Said(1, {"a": ["p"]}))
    assert tabulate(tables.rows())["records"] == {"a": (1, "x", ["p"])}


def test_uploads_at_the_same_time_are_not_lost(table_lake: TableLake) -> None:
    first = Execution(table_lake, "first")
    first.embed("embed-0", ["wanda.jpg", "a.jpg"])
    first.records("00000", ["1"], **{"1": ["wanda.jpg", "a.jpg"]})
    first.compact()
    uploads = [Execution(table_lake, f"upload-{day}", day) for day in (2, 3, 4)]
    for upload in uploads:
        upload.embed("embed-0", [f"{upload.day}.jpg"])
        upload.records("00000", [str(upload.day)], **{str(upload.day): [f"{upload.day}.jpg"]})
    catalog = open_catalog(table_lake.uri, table_lake.catalog_uri)
    with ThreadPoolExecutor(2) as pool:
        done = pool.submit(erase_rows, catalog, Subjects("pets", frozenset({"wanda.jpg"})))
        for upload in uploads:
            upload.compact()
        done.result()
    assert sorted(row["image_path"] for row in table_lake.rows("embeddings")) == ["2.jpg", "3.jpg", "4.jpg", "a.jpg"]
    images = {row["record_id"]: row["image_paths"] for row in table_lake.rows("records")}
    assert images == {"1": ["a.jpg"], "2": ["2.jpg"], "3": ["3.jpg"], "4": ["4.jpg"]}
