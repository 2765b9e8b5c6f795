"""What may have gone wrong stands at the top of the page, and in the answer for the terminal."""

import pytest
from msgspec.structs import replace

from pixlake import rejects, storage
from pixlake.messages import ReportAnswer, ReportRequest
from pixlake.rejects import Reject
from pixlake.report.unread import UnreadTables
from pixlake.settings import ReportSettings
from pixlake.steps.report import report
from tests.builders.reports import ReportedExecution


def write(reported: ReportedExecution, request: ReportRequest) -> tuple[str, ReportAnswer]:
    answer = report(request, ReportSettings(reported.lake, f"sqlite:///{reported.lake.removeprefix('file://')}/c.db"))
    return storage.read(answer.report_uri).decode(), answer


def test_warnings_come_first(reported: ReportedExecution) -> None:
    split = replace(reported.request.split, warnings=("None of 33 <b>records</b> have an image",))
    left = [
        Reject("a/catalog.xls", "plan", "unsupported_type", "neither"),
        Reject("b.txt", "plan", "unsupported_type", ""),
    ]
    rejects.write(reported.work.rejects("plan", "00009"), left)
    page, answer = write(reported, replace(reported.request, split=split))
    unread = "A table was not read: 'a/catalog.xls'; save it as CSV, Excel (.xlsx), JSON or Parquet"
    assert answer.warnings == (unread, "None of 33 <b>records</b> have an image")
    assert (
        page.index("catalog.xls")
        < page.index("None of 33 &lt;b&gt;records&lt;/b&gt; have an image.")
        < page.index("What ran")
    )
    assert answer.reasons["unsupported_type"] == 2


def test_a_page_without_warnings_has_no_place_for_them(reported: ReportedExecution) -> None:
    page, answer = write(reported, reported.request)
    assert "Look at this first" not in page
    assert (answer.warnings, answer.unpredicted) == ((), "")


def test_why_nothing_was_predicted(reported: ReportedExecution) -> None:
    why = "Nothing was predicted: no classifier is named"
    split = replace(reported.request.split, unpredicted=why)
    page, answer = write(reported, replace(reported.request, split=split))
    assert (f"{why}." in page, answer.unpredicted) == (False, ""), "for something was predicted"
    none = replace(reported.request, split=split, compact=replace(reported.request.compact, predicted=0))
    page, answer = write(reported, none)
    assert (f"{why}." in page, answer.unpredicted) == (True, why)


def test_many_unread_tables_are_counted() -> None:
    unread = UnreadTables()
    left = [Reject(f"{n}.xls", "plan", "unsupported_type", "") for n in range(9)]
    left += [
        Reject("pixlake.json", "plan", "unsupported_type", ""),
        Reject("c.csv", "split", "unreadable_table", "it is empty"),
    ]
    left.insert(0, Reject("d.xlsx!2", "split", "other_sheet", "other columns"))
    assert list(unread.watch(left)) == left
    assert unread.warnings()[0] == "A table was not read: '0.xls'; save it as CSV, Excel (.xlsx), JSON or Parquet"
    assert unread.warnings()[3:] == ("Tables or sheets that were not read beside these: 8, see the rejects",)


@pytest.mark.parametrize(
    ("reason", "warning"),
    [
        ("other_sheet", "A sheet was not read: because"),
        ("unreadable_table", "A table was not read: because"),
        ("unsupported_type", "A table was not read: because"),
    ],
)
def test_what_of_the_tables_was_not_read_says_why(reason: str, warning: str) -> None:
    unread = UnreadTables()
    list(unread.watch([Reject("a.json", "split", reason, "because")]))
    assert unread.warnings() == (warning,)
