import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from msgspec import structs

from pixlake import storage
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.messages import TOTALS, Effect, ReportRequest, parse
from pixlake.rejects import Reject
from pixlake.settings import Device, ReportSettings
from pixlake.steps import report as steps_report
from pixlake.steps.report import report
from tests.builders.reports import MakeExecution, ReportedExecution, build_execution
from tests.project import read_event

MAX_BYTES = 3_000_000


def settings(reported: ReportedExecution) -> ReportSettings:
    return ReportSettings(reported.lake, f"sqlite:///{reported.lake.removeprefix('file://')}/catalog.db")


def write_page(reported: ReportedExecution) -> str:
    answer = report(reported.request, settings(reported))
    return storage.read(answer.report_uri).decode()


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not about plots, which take most of a page's time."""
    monkeypatch.setattr(steps_report, "draw_plots", lambda _listing, _sizes: [])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of an execution, for tests that only read it."""
    return write_page(build_execution(tmp_path_factory.mktemp("lake")))


@pytest.mark.usefixtures("without_plots")
def test_the_answer_is_the_totals_and_the_page_is_where_it_says(reported: ReportedExecution) -> None:
    answer = report(reported.request, settings(reported))
    compact = reported.request.compact
    assert (answer.status, answer.images, answer.records) == ("SUCCEEDED", compact.images, compact.records)
    assert answer.report_uri == f"{reported.lake}/reports/demo-1.html"
    assert storage.read(answer.report_uri).startswith(b"<!doctype html>")


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("guessed", "images", "said"), [(True, 4, 1), (True, 0, 0), (False, 4, 0)])
def test_records_that_a_guessed_key_replaces_with_new_images_are_said(
    reported: ReportedExecution, guessed: bool, images: int, said: int
) -> None:
    changed = _with_effects(reported, {"records": Effect(replaced=3), "embeddings": Effect(new=images)})
    split = structs.replace(changed.request.split, guessed=guessed, id_column="species")
    answer = report(structs.replace(changed.request, split=split), settings(reported))
    found = [warning for warning in answer.warnings if "replaced older ones of the same 'species'" in warning]
    assert len(found) == said


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(
    ("known", "images", "effect", "said"),
    [
        (True, 0, Effect(new=9), 1),
        (True, 0, Effect(new=8, replaced=1), 0),
        (True, 0, Effect(), 0),
        (True, 3, Effect(new=9), 0),
        (False, 0, Effect(new=9), 0),
    ],
)
def test_a_table_alone_that_meets_no_record_of_the_experiment_is_said(
    reported: ReportedExecution, known: bool, images: int, effect: Effect, said: int
) -> None:
    changed = _with_effects(reported, {"records": effect})
    split = structs.replace(changed.request.split, known=known, images=images, id_column="filename")
    answer = report(structs.replace(changed.request, split=split), settings(reported))
    found = [warning for warning in answer.warnings if "None of the 9 records was in the experiment" in warning]
    assert len(found) == said


@pytest.mark.usefixtures("without_plots")
def test_the_page_says_what_changed_by_table_and_that_nothing_did(reported: ReportedExecution) -> None:
    effects = {"records": Effect(new=1_234, replaced=5, removed=7), "embeddings": Effect(changed=9)}
    changed = _with_effects(reported, effects)
    assert report(changed.request, settings(reported)).effects == effects
    page = write_page(changed)
    row = page[page.index("<td>records</td>") : page.index("<td>embeddings</td>")]
    assert re.findall(r">([\d,]+)</td>", row) == ["1,234", "5", "0", "0", "7", "0"]
    assert "Nothing" not in page[page.index("What changed") : page.index("What ran")]
    older = write_page(_with_effects(reported, {"records": Effect(older=33)}))
    assert "Nothing, for the lake has newer rows." in older
    assert "the time of its newest file" in older
    assert "What changed" not in write_page(reported)


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("device", "said"), [(Device.CPU, "the cores"), (Device.CUDA, "the GPU, by CUDA")])
def test_the_page_says_where_models_ran(reported: ReportedExecution, device: Device, said: str) -> None:
    answer = report(reported.request, replace(settings(reported), device=device))
    assert f"<dt>Models ran on</dt><dd>{said}</dd>" in storage.read(answer.report_uri).decode()


def _with_effects(reported: ReportedExecution, effects: dict[str, Effect]) -> ReportedExecution:
    compact = structs.replace(reported.request.compact, effects=effects)
    return replace(reported, request=structs.replace(reported.request, compact=compact))


@pytest.mark.usefixtures("without_plots")
def test_the_execution_is_a_row_once_however_often_it_is_reported(reported: ReportedExecution) -> None:
    for _ in range(2):
        report(reported.request, settings(reported))
    catalog = open_catalog(reported.lake, settings(reported).catalog_uri)
    (row,) = load_table(catalog, "executions").scan().to_arrow().to_pylist()
    run, compact = reported.request.run, reported.request.compact
    assert (row["execution_id"], row["experiment_id"], row["status"]) == (run.execution_id, "emoji", "SUCCEEDED")
    assert {name: row[name] for name in TOTALS} == {name: getattr(compact, name) for name in TOTALS}
    assert row["models"] == sorted(reported.request.split.models.items())
    assert row["started_at"] == datetime.fromisoformat(run.started_at) < row["finished_at"]


def test_the_page_needs_nothing_from_outside_and_runs_nothing(page: str) -> None:
    references = re.findall(r"(?:src|href)=[\"']?([^\"' >]+)", page) + re.findall(r"url\(([^)]*)\)", page)
    assert references
    followed = "http://127.0.0.1:8000/"  # by a person's click alone
    assert all(reference.startswith(("data:image/webp;base64,", "#", followed)) for reference in references)
    assert "<script" not in page
    assert "Content-Security-Policy" in page


def test_every_id_of_the_page_is_unique(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert ids
    assert len(ids) == len(set(ids))


def test_an_image_is_shown_with_its_prediction(page: str) -> None:
    assert page.count('src="data:image/webp') == 40 + 16
    assert page.count('class="label"') == 40 + 16
    assert "not shown" not in page


def test_the_share_of_records_with_an_image_is_at_the_top(page: str) -> None:
    top = page[: page.index("<h2>")]
    assert "<dt>with an image</dt><dd>87.5%</dd>" in top


def test_each_picture_is_shown_with_its_record(page: str) -> None:
    assert len(re.findall(r'class="record" title="(r\d{5})">\1<', page)) == 40 + 16


@pytest.mark.usefixtures("without_plots")
def test_what_is_not_joined_is_listed_up_to_a_limit(make_execution: MakeExecution) -> None:
    page = write_page(make_execution(images=70, records=80, orphans=3))
    assert "3 images that no record names" in page
    listed = page[page.index("Not joined") : page.index("What ran")]
    assert re.findall(r"photos/\d+.png", listed) == [f"photos/{n:05d}.png" for n in (67, 68, 69)]
    assert re.findall(r"r\d{5}", listed) == [f"r{n:05d}" for n in range(67, 80)]
    assert " more" not in listed


@pytest.mark.usefixtures("without_plots")
def test_a_long_list_of_what_is_not_joined_is_cut(make_execution: MakeExecution) -> None:
    page = write_page(make_execution(images=1, records=400))
    listed = page[page.index("Not joined") : page.index("What ran")]
    assert "399 records without an image in this upload" in listed
    assert listed.count("<code>") == 50
    assert "and 349 more" in listed


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize(("images", "records"), [(0, 40), (40, 0)])
def test_a_table_alone_and_images_alone_miss_nothing(make_execution: MakeExecution, images: int, records: int) -> None:
    page = write_page(make_execution(images=images, records=records, orphans=0))
    assert "Not joined" not in page
    assert "with an image</dt>" not in page


def test_rejects_come_before_what_ran(page: str) -> None:
    assert page.index("<h2>Rejects") < page.index("<h2>What ran")


def test_a_lake_on_this_machine_links_to_the_page_that_serve_shows(page: str) -> None:
    assert re.search(r"<code>pixlake serve --lake /[^<]*</code>", page)
    assert 'href="http://127.0.0.1:8000/?experiment=emoji"' in page


@pytest.mark.usefixtures("without_plots")
def test_a_missing_image_has_an_empty_frame(reported: ReportedExecution) -> None:
    for info in list(storage.list_objects(f"{reported.lake}/images")):
        storage.delete([info.uri])
    assert write_page(reported).count("not shown") == 40 + 16


@pytest.mark.usefixtures("without_plots")
def test_names_from_the_upload_are_escaped(make_execution: MakeExecution) -> None:
    hostile = Reject(
        "<img src=x onerror=alert(1)>\u202egnp.exe", "embed", "<i>reason</i>", "\x00\x1b[31m" + "x" * 9_000
    )
    page = write_page(make_execution(images=3, hostile=(hostile,)))
    assert "<img src=x" not in page
    assert "<i>reason" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202egnp.exe" in page
    assert "\x1b" not in page
    assert "x" * 500 not in page


def test_predictions_are_compared_with_the_tables_labels(page: str) -> None:
    assert "<b>70 (87.5%)</b>" in page
    assert "100.0% of 70 by image+tabular, 0.0% of 10 by tabular" in page


def test_rejects_are_grouped_with_the_first_few_of_each(page: str) -> None:
    assert re.search(r"<code>truncated</code> 14 <span class=\"quiet\">in embed</span><", page)
    assert page.count("photos/broken-") == 10
    assert "and 4 more" in page
    assert page.index("truncated") < page.index("duplicate_id")


@pytest.mark.usefixtures("without_plots")
def test_the_page_stays_small_whatever_was_rejected(make_execution: MakeExecution) -> None:
    flood = tuple(Reject("s" * 5_000, "embed", f"reason_{n % 900}", "d" * 5_000) for n in range(5_000))
    page = write_page(make_execution(images=300, hostile=flood))
    assert len(page.encode()) < MAX_BYTES
    assert re.search(r">[\d,]+ more", page)


def test_an_empty_upload_has_a_page(make_execution: MakeExecution) -> None:
    page = write_page(make_execution(images=0, records=0, rejected=False))
    assert "Nothing was rejected" in page
    assert "<svg" not in page


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("images", [1, 31, 70])
def test_a_second_run_shows_the_same_images(make_execution: MakeExecution, images: int) -> None:
    reported = make_execution(images=images)
    first, second = (re.findall(r"base64,[^\"]+", write_page(reported)) for _ in range(2))
    assert first == second


@pytest.mark.usefixtures("without_plots")
def test_images_of_a_run_without_embedder_come_from_the_batches(make_execution: MakeExecution) -> None:
    reported = make_execution(images=12, embedder=False)
    page = write_page(reported)
    assert page.count('src="data:image/webp') == 12 + 12
    assert "Image sizes" not in page


def test_the_event_file_is_reported(tmp_path: Path) -> None:
    event = read_event("report")
    answer = report(
        parse(event, ReportRequest), ReportSettings(f"file://{tmp_path}", f"sqlite:///{tmp_path}/catalog.db")
    )
    assert answer.embedded == 596
    assert b"emoji-clip@0123456789ab" in storage.read(answer.report_uri)
