"""Ways to search, and to come back to what was found."""

import base64
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.builders.exhibitions import COPY
from tests.builders.galleries import COLORS
from tests.page.conftest import PATIENCE, Open

expect.set_options(timeout=PATIENCE)

_EVENTS = {
    "drop": "(held) => document.body.dispatchEvent(new DragEvent('drop', "
    "{dataTransfer: held, bubbles: true, cancelable: true}))",
    "paste": "(held) => document.body.dispatchEvent(new ClipboardEvent('paste', "
    "{clipboardData: held, bubbles: true, cancelable: true}))",
}
_HOLD = """(text) => {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0)), held = new DataTransfer();
  held.items.add(new File([bytes], "mine.png", {type: "image/png"}));
  return held;
}"""


def give(page: Page, way: str, image: Path) -> None:
    if way == "choose":
        page.set_input_files("#file", image)
    else:
        held = page.evaluate_handle(_HOLD, base64.b64encode(image.read_bytes()).decode())
        held.evaluate(_EVENTS[way])


def paths(page: Page) -> list[str]:
    return [
        title.removeprefix("Search by ") for title in page.eval_on_selector_all(".hit", "all => all.map(e => e.title)")
    ]


def count(page: Page, number: int) -> None:
    """The results are there, with their facts."""
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".hit")).to_have_count(number)


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_an_image_that_is_given_is_classified_and_finds_what_is_like_it(way: str, open_page: Open, red: Path) -> None:
    page = open_page("?experiment=colors")
    count(page, 5)
    give(page, way, red)
    expect(page.locator("#status")).to_have_text(re.compile(r"5 most similar images by tiny@\w+, best first"))
    assert set(paths(page)[:2]) == {"of/red.png", COPY}
    expect(page.locator("#classes tr").first).to_contain_text("red")
    expect(page.locator("#asked")).to_have_attribute("src", re.compile("^blob:"))


def test_a_text_finds_images_with_scores_predictions_and_attributes(open_page: Open) -> None:
    page = open_page()
    page.fill("#text", "green")
    page.click("#go")
    count(page, 6)
    expect(page.locator("#status")).to_contain_text("6 most similar images")
    card = page.locator(".hit[title='Search by of/green.png']")
    expect(card.locator(".score")).to_have_text(re.compile(r"^-?[01]\.\d{3}$"))
    expect(card).to_contain_text("cold color 0.75")
    expect(card).to_contain_text("family cold")
    assert page.url.endswith("?text=green")


def test_a_result_is_searched_from_back_returns_and_its_address_can_be_shared(open_page: Open) -> None:
    page = open_page("?text=green&experiment=colors")
    count(page, 5)
    page.locator(".hit[title='Search by of/blue?#é.png']").click()
    expect(page.locator("#name")).to_have_text("of/blue?#é.png")
    expect(page.locator("#facts")).to_contain_text("cold color 0.75")
    expect(page.locator(".hit .score").first).to_have_text("1.000")
    shared = open_page(page.url)
    expect(shared.locator("#name")).to_have_text("of/blue?#é.png")
    expect(shared.locator(".hit .score").first).to_have_text("1.000")
    page.go_back()
    expect(page.locator("#query")).to_be_hidden()
    expect(page.locator("#text")).to_have_value("green")
    count(page, 5)
    page.go_forward()
    expect(page.locator("#name")).to_have_text("of/blue?#é.png")


def test_images_are_filtered_by_label_and_by_any_attribute(open_page: Open) -> None:
    page = open_page("?experiment=colors")
    count(page, 5)
    page.select_option("#by", label="family")
    page.select_option("#one", "warm")
    page.click("#add")
    count(page, 2)
    assert sorted(paths(page)) == ["of/dark.png", "of/red.png"]
    page.select_option("#by", "score")
    page.select_option("#how", "least")
    page.fill("#is", "0.8")
    page.click("#add")
    expect(page.locator("#status")).to_have_text("Nothing fits these filters.")
    page.get_by_role("button", name="score ≥ 0.8").click()
    count(page, 2)
    shared = open_page(page.url)
    count(shared, 2)
    expect(shared.get_by_role("button", name="family is warm")).to_be_visible()
    labelled = open_page("?text=red&by=label&how=is&is=cold+color&by=attributes.it%27s&how=is&is=so")
    count(labelled, 2)
    assert sorted(paths(labelled)) == ["of/blue?#é.png", "of/green.png"]


def test_near_copies_can_be_hidden_and_one_experiment_chosen(open_page: Open) -> None:
    page = open_page("?text=red")
    count(page, 2 + len(COLORS))
    page.check("#distinct")
    count(page, len(COLORS))
    page.uncheck("#distinct")
    page.select_option("#experiment", "others")
    count(page, 1)
    assert "experiment=others" in page.url


def test_what_is_no_image_is_said(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    count(page, 6)
    (tmp_path / "no.png").write_text("no image")
    page.set_input_files("#file", tmp_path / "no.png")
    expect(page.locator("#status.bad")).to_contain_text("no image")
    expect(page.locator(".hit")).to_have_count(0)
