"""Whoever looks: by keyboard, by screen reader, in the dark, on a phone."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.builders.exhibitions import RUN
from tests.page.conftest import PATIENCE, Open

expect.set_options(timeout=PATIENCE)

DESKTOP, PHONE = 1280, 390
VIEWS = {
    "": ".hit .known:not(:empty)",
    "?text=red": ".hit .known:not(:empty)",
    "?of=colors&image=of/red.png": "#known summary",
    "?by=label&how=is&is=warm+color": "#chips .chip",
    "?view=duplicates&experiment=colors": ".group, .groups section",
    "?view=rejects": "tbody tr",
    "?view=runs": "tbody tr",
    "map?experiment=colors": "#legend li",
    "map?experiment=others": "main .card",
    "?of=colors&image=none": "#status.bad",
}
_FOCUSABLE = "a[href], button, input, select, summary, canvas[tabindex]"
_SEEN = """(all) => all.filter((each) => each.checkVisibility({visibilityProperty: true}))
  .map((each, at) => each.dataset.mark = String(at))"""
_FOCUSED = "document.activeElement?.dataset.mark ?? null"


def is_drawn(page: Page, place: str) -> None:
    expect(page.locator(VIEWS[place]).first).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", DESKTOP), ("dark", PHONE)])
def test_axe_finds_nothing_and_no_view_is_wider_than_the_screen(open_page: Open, scheme: str, width: int) -> None:
    page = open_page("", width, scheme)
    for place in VIEWS:
        page.goto(place or "./")
        is_drawn(page, place)
        found: list[Any] = Axe().run(page).response["violations"]
        told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert (place, told) == (place, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place


@pytest.mark.parametrize(
    "place", ["?of=colors&image=of/red.png", "?view=rejects", "?view=runs", "map?experiment=colors"]
)
def test_the_keyboard_reaches_whatever_can_be_pressed(open_page: Open, place: str) -> None:
    page = open_page(place)
    expect(page.locator(".hit .known:not(:empty), tbody tr, #legend li").first).to_be_visible()
    marks = set(page.eval_on_selector_all(_FOCUSABLE, _SEEN))
    assert marks
    reached = set()
    for _ in range(3 * len(marks)):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(_FOCUSED))
    assert marks <= reached


def test_a_search_a_result_and_a_report_take_no_mouse(open_page: Open) -> None:
    page = open_page()
    expect(page.locator(".hit")).to_have_count(6)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"the keyboard does not reach {selector}")

    tab_to("#text")
    page.keyboard.type("green")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("6 most similar images")
    tab_to(".hit")
    page.keyboard.press("Enter")
    expect(page.locator("#query")).to_be_visible()
    expect(page.locator("#heading")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    tab_to("[data-view=runs]")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    tab_to("td a[href^=reports]")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.partition('?')[0].partition('reports')[0]}reports/{RUN}")
