"""The page of `pixlake serve` in headless Chromium: how long after a search's answer its results are painted, and the
page's weight.

A search is a click on an image. Its answer has come when the last byte of `/search` is there. Painted are the results
when the frame with all their cards is, and pictures when the last one in the window is decoded and drawn.

    make .venv-page/.ready
    .venv-page/bin/python -m benchmarks.page --lake demo-lake
"""

import statistics
import subprocess
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from pixlake.iceberg.lakes import Lake
from tests.builders.servers import serving

_QUIET = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
# In the page, so that no message to this process is in the figures; two frames, for a frame's callbacks come before it
# is painted.
_SEARCH = """async (at) => {
  const results = document.getElementById("results"), painted = () => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))));
  performance.clearResourceTimings();
  const drawn = new Promise((done) => {
    const watched = new MutationObserver(() => { watched.disconnect(); done(painted()); });
    watched.observe(results, {childList: true});
  });
  results.children[at].click();
  const cards = await drawn, all = [...results.querySelectorAll("img")];
  const seen = all.filter((image) => image.getBoundingClientRect().top < innerHeight);
  await Promise.all(seen.map((image) => image.decode().catch(() => {})));
  const pictures = await painted();
  const [answer] = performance.getEntriesByType("resource").filter((each) => each.name.includes("/search?"));
  const end = answer.responseEnd;
  return {asked: end - answer.startTime, cards: cards - end, pictures: pictures - end};
}"""


@click.command()
@click.option("--lake", "folder", type=click.Path(path_type=Path, exists=True), default="demo-lake", show_default=True)
@click.option("--searches", type=click.IntRange(2), default=20, show_default=True)
@click.option("--chromium", default="/usr/bin/chromium", show_default=True)
def main(folder: Path, searches: int, chromium: str) -> None:
    with serving(Lake.at(str(folder))) as (_, address), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{address}/?text=red")
        page.wait_for_selector(".hit", timeout=120_000)
        found = [_search(page, at % 10) for at in range(searches)]
        weight = len(page.request.get(address).body())
        version = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    _print(found[1:], weight, version)


def _search(page: Page, at: int) -> dict[str, float]:
    found: dict[str, float] = page.evaluate(_SEARCH, at)
    page.wait_for_selector("#results:not([aria-busy])", timeout=120_000)
    return found


def _print(found: list[dict[str, float]], weight: int, version: str) -> None:
    table = Table("what", "median ms", "greatest ms", title=f"{len(found)} searches after the first, {version}")
    names = {"asked": "the answer", "cards": "30 results painted, after the answer", "pictures": "and their pictures"}
    for name, words in names.items():
        values: list[Any] = [each[name] for each in found]
        table.add_row(words, f"{statistics.median(values):.0f}", f"{max(values):.0f}")
    Console().print(table)
    Console().print(f"the page: {weight:,} bytes")


if __name__ == "__main__":
    main()
