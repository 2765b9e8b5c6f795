"""What is shown beside a search: duplicates, the map, rejects, runs and reports."""

import re

from playwright.sync_api import expect

from tests.builders.exhibitions import COPY, RUN
from tests.page.conftest import PATIENCE, Open

expect.set_options(timeout=PATIENCE)


def test_duplicates_are_in_groups_with_the_one_to_keep_first(open_page: Open) -> None:
    page = open_page("?experiment=colors")
    page.get_by_role("link", name="Duplicates").click()
    expect(page.locator("#status")).to_contain_text("1 group of images that are nearly the same")
    expect(page.locator(".hit").first).to_contain_text("keep")
    assert "view=duplicates" in page.url
    page.select_option("#threshold", "0.999")
    expect(page).to_have_url(re.compile("threshold=0.999"))
    page.locator(f".hit[title='Search by {COPY}']").click()
    expect(page.locator("#name")).to_have_text(COPY)
    page.go_back()
    expect(page.locator("#threshold")).to_have_value("0.999")
    expect(page.locator("#heading")).to_have_text("Near-duplicates")


def test_the_map_shows_an_image_and_leads_to_a_search_from_it(open_page: Open) -> None:
    page = open_page("?experiment=colors")
    expect(page.locator(".hit")).to_have_count(5)
    with page.expect_response(re.compile(r"/images/colors/of/.*size=96")):
        page.get_by_role("link", name="Map").click()
    expect(page.locator("#summary")).to_contain_text("5 images; places by PCA")
    expect(page.locator("#color")).to_have_value("label")
    page.focus("#map")
    page.keyboard.press("Enter")
    chosen = page.inner_text("#path")
    expect(page.locator("#picture")).to_have_js_property("complete", True)
    assert page.eval_on_selector("#picture", "image => image.naturalWidth") > 0
    page.click("#like")
    expect(page.locator("#name")).to_have_text(chosen)
    expect(page.locator(".hit .score").first).to_have_text("1.000")


def test_a_map_that_cannot_be_says_why(open_page: Open) -> None:
    page = open_page("map?experiment=others")
    expect(page.locator("main")).to_contain_text("has 1 images with a vector")
    page.get_by_role("link", name="Search").click()
    expect(page.locator(".hit")).to_have_count(1)


def test_rejects_have_their_reasons(open_page: Open) -> None:
    page = open_page("?view=rejects")
    expect(page.locator("#status")).to_have_text("2 rows and images left out")
    expect(page.locator("tbody tr").first).to_contain_text("the row has no id")
    page.get_by_role("button", name="truncated 1").click()
    expect(page.locator("#status")).to_have_text("1 row or image left out")
    expect(page.locator("tbody tr")).to_have_count(1)
    shared = open_page(page.url)
    expect(shared.get_by_role("button", name="truncated 1")).to_have_attribute("aria-pressed", "true")
    expect(shared.locator("tbody tr")).to_have_count(1)
    page.select_option("#experiment", "others")
    expect(page.locator("#status")).to_have_text("Nothing was left out.")


def test_runs_lead_to_their_rejects_and_reports(open_page: Open) -> None:
    page = open_page("?view=runs")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("colors.zip")
    expect(row).to_contain_text("succeeded")
    row.get_by_role("link", name="2 rejected of colors").click()
    expect(page.locator("#status")).to_have_text("2 rows and images left out")
    page.go_back()
    page.get_by_role("link", name=f"report of {RUN}").click()
    expect(page.locator("h1")).to_have_text("Report of colors")
