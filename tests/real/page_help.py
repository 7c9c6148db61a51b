"""What the tests of the page share: a browser, and a page in it that may not complain."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from harness import MAY_SKIP, ROOT
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = CHROMIUM is None and MAY_SKIP

ARGUMENTS = [
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SCREENSHOTS = Path(os.environ.get("PORTSUP_SCREENSHOTS", ROOT / "build" / "screenshots"))

REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503) ")
"""Chromium says so of each refusal, which is part of a test, and not the page's complaint."""

GONE = re.compile(
    r"Failed to load resource: net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|.*RESET)"
)
"""And this while there is no server."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    assert CHROMIUM is not None, "there is no chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    theme: Literal["light", "dark"] = "light",
    size: tuple[int, int] = (1280, 800),
    server_goes: bool = False,
    **context: Any,
) -> Iterator[Page]:
    """The page at `url` in a profile of its own. Raises AssertionError for whatever it complained about."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        expected = REFUSED.match(message.text) or (server_goes and GONE.match(message.text))
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    viewport = {"width": size[0], "height": size[1]}
    profile = browser.new_context(viewport=viewport, color_scheme=theme, **context)  # type: ignore[arg-type]
    try:
        profile.set_default_timeout(15_000)
        page = profile.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.goto(url)
        yield page
    finally:
        profile.close()
    assert not complaints, complaints


def photograph(page: Page, name: str) -> None:
    """Kept for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
