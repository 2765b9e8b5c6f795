"""What may have gone wrong stands at the top of the page, and in the answer for the terminal."""

from msgspec.structs import replace

from pixlake import rejects, storage
from pixlake.rejects import Reject
from pixlake.report.unread import UnreadTables
from pixlake.settings import ReportSettings
from pixlake.steps.report import report


def write(execution, request) -> tuple[str, object]:
    answer = report(request, ReportSettings(execution.lake, f"sqlite:///{execution.lake.removeprefix('file://')}/c.db"))
    return storage.read(answer.report_uri).decode(), answer


def test_warnings_come_first(execution) -> None:
    split = replace(execution.request.split, warnings=("None of 33 <b>records</b> have an image",))
    left = [
        Reject("a/catalog.xlsx", "plan", "unsupported_type", "neither"),
        Reject("b.txt", "plan", "unsupported_type", ""),
    ]
    rejects.write(execution.work.rejects("plan", "00009"), left)
    page, answer = write(execution, replace(execution.request, split=split))
    unread = "A table was not read: 'a/catalog.xlsx'; save it as CSV, JSON Lines or Parquet"
    assert answer.warnings == (unread, "None of 33 <b>records</b> have an image")
    assert (
        page.index("catalog.xlsx")
        < page.index("None of 33 &lt;b&gt;records&lt;/b&gt; have an image.")
        < page.index("What ran")
    )
    assert answer.reasons["unsupported_type"] == 2


def test_a_page_without_warnings_has_no_place_for_them(execution) -> None:
    page, answer = write(execution, execution.request)
    assert "Look at this first" not in page
    assert (answer.warnings, answer.unpredicted) == ((), "")


def test_why_nothing_was_predicted(execution) -> None:
    why = "Nothing was predicted: no classifier is named"
    split = replace(execution.request.split, unpredicted=why)
    page, answer = write(execution, replace(execution.request, split=split))
    assert (f"{why}." in page, answer.unpredicted) == (False, ""), "for something was predicted"
    none = replace(execution.request, split=split, compact=replace(execution.request.compact, predicted=0))
    page, answer = write(execution, none)
    assert (f"{why}." in page, answer.unpredicted) == (True, why)


def test_many_unread_tables_are_counted() -> None:
    unread = UnreadTables()
    left = [Reject(f"{n}.xls", "plan", "unsupported_type", "") for n in range(9)]
    left += [
        Reject("pixlake.json", "plan", "unsupported_type", ""),
        Reject("c.csv", "split", "unreadable_table", "it is empty"),
    ]
    assert list(unread.watch(left)) == left
    assert unread.warnings()[0] == "A table was not read: '0.xls'; save it as CSV, JSON Lines or Parquet"
    assert unread.warnings()[3:] == ("7 more tables were not read: see the rejects",)
