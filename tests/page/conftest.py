"""The page in headless Chromium. Whatever a test does, nothing is asked of another host and no policy is broken."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pixlake.iceberg.lakes import Lake
from tests.builders.exhibitions import fill
from tests.builders.servers import serving

# what Chromium would ask Google's servers for, and a graphics processor
QUIET = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 60_000
"""Milliseconds, for busy machines; what is waited for comes in a fraction of one."""

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill(Lake.at(str(tmp_path_factory.mktemp("exhibition"))))


@pytest.fixture(scope="session")
def address(lake: Lake) -> Iterator[str]:
    with serving(lake) as (_, address):
        yield f"{address}/"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    assert program, "no Chromium; the environment's CHROMIUM names it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """A window at a place of the page, by default of a desktop's size and light."""
    contexts: list[Any] = []
    asked: list[str] = []
    said: list[str] = []

    def open_at(place: str = "", width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, base_url=address, accept_downloads=False
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text) if "Policy" in message.text else None)
        page.goto(place)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert said == []


@pytest.fixture(scope="session")
def red(lake: Lake) -> Path:
    assert lake.folder
    return lake.folder / "images/of/red.png"
