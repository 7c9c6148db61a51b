"""The page that shows the API, in a real browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from harness import Home
from page_help import NO_CHROMIUM, chromium, opened, photograph
from web_help import serving

from supervisor.web.openapi import DOCUMENT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NO_CHROMIUM, reason="needs chromium: apt install chromium"),
]

OVERLAPPING = """rows => rows.filter(row => {
  const boxes = [...row.cells].map(cell => cell.getBoundingClientRect());
  return boxes.some((box, at) => at && box.left < boxes[at - 1].right - 1);
}).map(row => row.textContent)"""

IS_SEEN = """title => {
  const { x, y } = title.getBoundingClientRect();
  return title.contains(document.elementFromPoint(x + 2, y + 2));
}"""


def test_everything_is_shown(portsup_home: Home, ports_block: int) -> None:
    """Each operation and each shape, with links that lead to it; it fits a phone; axe finds nothing."""
    ids = [one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values()]
    ids += [f"shape-{name}" for name in DOCUMENT["components"]["schemas"]]
    url = f"http://127.0.0.1:{ports_block}/api/docs"
    with (
        serving(portsup_home, ports_block),
        chromium() as browser,
        opened(browser, url, theme="dark", size=(390, 800)) as page,
    ):
        page.wait_for_selector("article")
        assert sorted(page.eval_on_selector_all("article", "all => all.map(one => one.id)")) == sorted(ids)
        links = page.eval_on_selector_all("main a[href^='#']", "all => all.map(one => one.hash.slice(1))")
        assert set(links) <= set(ids)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert Axe().run(page).violations_count == 0
        assert "curl -X POST -H" in page.locator("#stop pre").inner_text()
        assert page.eval_on_selector_all("tr", OVERLAPPING) == []
        assert page.locator("#metrics thead").evaluate("head => head.offsetWidth") > 100
        page.locator("nav a[href='#metrics']").click()
        assert page.locator("#metrics h3").evaluate(IS_SEEN)
        photograph(page, "docs")
