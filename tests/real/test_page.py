"""The page in a real browser, before a real `portsup serve` and two real instances."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from harness import CHILDREN, WAITS, Home, Portsup, foreigner, port_block, private_home, write_stack
from page_help import NO_CHROMIUM, chromium, opened, photograph
from playwright.sync_api import Browser, Locator, Page, expect
from web_help import Api, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NO_CHROMIUM, reason="needs chromium: apt install chromium"),
]

LINES = 100_000
SHARED = 900
"""Offset of the pool that both instances share, within the block."""
SERVE = 990
FOREIGN = 1
"""Offset of a port on which somebody else listens, in the pool of instance 1's api."""

ROWS_AT_MOST = 120
"""Of a log in the document, whatever its length: a screen and some more."""

LONGEST_TASK_MS = 400
"""Without the page's turn; far more than it takes, since the machine is shared."""


HOSTILE = "<img src=x onerror=window.hit=1>"
"""As the name of a worktree."""


@dataclass(frozen=True)
class Stage:
    """What all tests of this module look at."""

    portsup: Portsup
    home: Home
    base: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.base + SERVE}/"

    @property
    def token(self) -> str:
        (file,) = self.home.folder.glob("state/portsup/*token*")
        return file.read_text().strip()


def services(base: int) -> dict[str, Any]:
    python = [sys.executable, "-I", "-S"]
    return {
        "api": {"pool": {"offset": 0, "size": 3}, "pools": {"long": {"offset": 20, "size": 40}}},
        "web": {"pool": {"ports": [base + SHARED, base + SHARED + 1, base + SHARED + 2]}},
        "speaker": {"command": [*python, str(CHILDREN / "speaks.py")]},
        "many": {"command": [*python, str(CHILDREN / "print_lines.py"), str(LINES)], "restart": "no"},
        "broken": {
            "command": [*python, "-c", "raise SystemExit(3)"],
            "ready": {"log": "never said"},
            "restart": "on-failure",
            "backoff": {"initial": "10ms", "limit": 1},
        },
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Instance 1 with all services, instance 2 with two of them, and a stranger on a port of the first."""
    folder = tmp_path_factory.mktemp("stage")
    with port_block() as base, private_home() as home, foreigner(base + FOREIGN):
        write_stack(folder, services(base), base_port=base)
        portsup = Portsup(home, folder)
        try:
            portsup.up("-i", "1")
            portsup.up("-i", "2", "api", "web")
            portsup.wait_for_services(1, ("RUNNING", "EXITED", "FATAL"))
            portsup.wait_for_services(2, ("RUNNING", "STOPPED"))
            yield Stage(portsup, home, base)
        finally:
            portsup.close()


@pytest.fixture(scope="module")
def server(stage: Stage) -> Iterator[Api]:
    with serving(stage.home, stage.base + SERVE) as api:
        yield api
        api.process.terminate()
        api.process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, stage: Stage, server: Api) -> Iterator[Page]:
    with opened(browser, stage.url) as one:
        yield one


@pytest.fixture
def trusted(browser: Browser, stage: Stage, server: Api) -> Iterator[Page]:
    """The page as `portsup serve --open` opens it: it has the token."""
    with opened(browser, f"{stage.url}#token={server.token}") as one:
        yield one


def row(page: Page, instance: int, service: str) -> Locator:
    body = page.get_by_role("rowgroup", name=f"test, instance {instance}", exact=True)
    return body.locator("tr.service").filter(has=page.get_by_role("rowheader", name=service, exact=True))


def button(page: Page, instance: int, service: str, what: str) -> Locator:
    return row(page, instance, service).get_by_role("button", name=f"{what} {service}", exact=True)


def open_log(page: Page, service: str) -> Locator:
    """The panel with the log of one of instance 1."""
    button(page, 1, service, "Log of").click()
    return page.locator("#log")


def test_rows_and_cells(page: Page, stage: Stage) -> None:
    """Every service is there with its port as a link, its state in words and its pool; the filter hides."""
    api = row(page, 1, "api")
    expect(api).to_contain_text("running")
    expect(row(page, 1, "broken")).to_contain_text("fatal")
    expect(page.locator("tr.reason", has_text="code 3")).to_be_visible()
    expect(page).to_have_title("(!) portsup")
    expect(page.locator("#connection")).to_have_text("live")

    cells = api.get_by_role("list", name="pool", exact=True).get_by_role("listitem")
    expect(cells).to_have_count(3)
    expect(cells.nth(0)).to_have_attribute("title", f"{stage.base}: its own")
    expect(cells.nth(1)).to_contain_text("foreign")
    expect(cells.nth(2)).to_contain_text("free")
    long = api.get_by_role("list", name="pool long").get_by_role("listitem")
    expect(long).to_have_count(2)
    expect(long.nth(1)).to_contain_text(f"{stage.base + 21}–{stage.base + 59}: 39 free")
    shared = row(page, 2, "web").get_by_role("listitem")
    by_port = sorted(text.split(": ", 1)[1] for text in shared.locator(".sr").all_text_contents())
    assert by_port == ["free", "its own", "taken, test 1 · web"]

    with page.expect_popup() as popup:
        api.get_by_role("link", name=str(stage.base)).click()
    assert popup.value.url == f"http://127.0.0.1:{stage.base}/"
    popup.value.close()

    page.keyboard.press("/")
    page.keyboard.type("fatal")
    expect(page.locator("tr.service:visible")).to_have_count(1)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("no such thing")
    expect(page.locator("tr.service:visible")).to_have_count(0)
    expect(page.locator("#unmatched")).to_be_visible()
    expect(page.locator("#events")).to_have_text("No event matches the filter.")
    page.keyboard.press("Escape")
    expect(row(page, 1, "api")).to_be_visible()
    expect(page.locator("#unmatched")).to_be_hidden()


def test_changes_come_by_themselves(page: Page, stage: Stage) -> None:
    """What the command line does is seen without a reload, in the same element, and in the timeline."""
    api = row(page, 2, "api")
    expect(api).to_contain_text("running")
    api.evaluate("row => { row.dataset.mark = 'mine' }")
    button(page, 2, "api", "Stop").focus()
    assert stage.portsup.run("stop", "-i", "2", "api").returncode == 0
    expect(api).to_contain_text("stopped")
    expect(button(page, 2, "api", "Start")).to_be_focused()
    assert stage.portsup.run("start", "-i", "2", "api").returncode == 0
    expect(api).to_contain_text("running")
    expect(api).to_have_attribute("data-mark", "mine")
    entries = page.locator("#events li").filter(has_text="api · test 2")
    expect(entries.filter(has_text="spawned").first).to_be_visible()
    expect(entries.filter(has_text="exited").first).to_be_visible()
    expect(page.locator("#events li").filter(has_text="claimed")).to_have_count(2)
    expect(api.locator(".memory .number")).to_contain_text("MiB")


def test_restart_with_the_token(page: Page, stage: Stage, server: Api) -> None:
    """The first action asks for the token, tells its file, and again after a wrong one."""
    before = stage.portsup.service(1, "api")["pid"]
    button(page, 1, "api", "Restart").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(server.token_file))
    field = dialog.get_by_label("Token")
    expect(field).to_be_focused()
    field.fill("wrong")
    field.press("Enter")
    expect(dialog).to_contain_text("That was not it")
    field.fill(server.token)
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_be_hidden()
    expect(button(page, 1, "api", "Restart")).to_be_enabled()
    assert stage.portsup.service(1, "api")["pid"] != before
    expect(page.locator(".notice")).to_have_count(0)


def test_what_takes_longer(trusted: Page, stage: Stage) -> None:
    """It is told that it isn't done yet, until it is."""
    trusted.route("**/restart?*", lambda route: route.fulfill(status=202, json={}))
    button(trusted, 2, "api", "Restart").click()
    expect(trusted.locator("#notices")).to_contain_text("not done yet")
    assert stage.portsup.run("restart", "-i", "2", "api").returncode == 0
    expect(trusted.locator("#notices")).to_be_empty()


def test_a_refusal_is_shown(trusted: Page, stage: Stage) -> None:
    """In the error's own words, until it is closed; the token is gone from the address."""
    assert trusted.url == stage.url
    button(trusted, 1, "broken", "Start").click()
    notice = trusted.locator(".notice")
    expect(notice).to_contain_text("broken")
    expect(notice).to_contain_text("code 3")
    photograph(trusted, "notice")
    notice.get_by_role("button", name="Close").click()
    expect(notice).to_have_count(0)


def test_log_with_colours(trusted: Page, stage: Stage) -> None:
    """Colours are kept, other codes dropped, markup is text; new lines come; the keyboard is enough."""
    opener = button(trusted, 1, "speaker", "Log of")
    opener.focus()
    trusted.keyboard.press("Enter")
    panel = trusted.locator("#log")
    expect(panel.locator(".c1")).to_have_text("red")
    orange = panel.get_by_text("orange", exact=True)
    assert orange.evaluate("node => getComputedStyle(node).color") != panel.locator(".c1").evaluate(
        "node => getComputedStyle(node).color"
    )
    on_blue = panel.get_by_text("on blue", exact=True)
    assert on_blue.evaluate("node => node.style.backgroundColor") == "rgb(0, 0, 120)"
    hostile = panel.locator(".line").nth(1)
    expect(hostile).to_contain_text("<script>window.hit = 1</script><img src=x onerror='window.hit = 2'>")
    assert "title" not in hostile.inner_text()
    assert trusted.evaluate("window.hit") is None

    os.kill(stage.portsup.service(1, "speaker")["pid"], signal.SIGUSR1)
    expect(panel.get_by_text("again 1")).to_be_visible()
    trusted.keyboard.press("/")
    trusted.keyboard.type("again")
    expect(panel.locator(".found")).to_have_text("1 of 1")
    expect(panel.locator("mark")).to_have_text("again")
    trusted.keyboard.press("Escape")
    expect(panel.locator("mark")).to_have_count(0)
    expect(panel.get_by_role("searchbox")).to_be_focused()
    trusted.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(opener).to_be_focused()


def numbered(panel: Locator, number: int) -> Locator:
    """A line of the service `many`, if it is in the document; its time beside it is another text."""
    return panel.locator(".text", has_text=re.compile(f"^{number:08d} "))


WATCH_LONG_TASKS = """
() => {
  window.longTasks = [];
  new PerformanceObserver((list) => list.getEntries().forEach((task) => longTasks.push(task.duration)))
    .observe({ type: "longtask" });
}
"""


SCROLL_BEFORE_DRAWING = """
async (node) => {
  requestAnimationFrame(() => { node.scrollTop = 0; });
  node.dispatchEvent(new Event("scroll"));
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  return node.scrollTop;
}
"""
"""Up, in the frame in which the page draws, and before it does; where that ends."""

TYPE_ZERO = """
(field) => {
  field.value = "0";
  field.dispatchEvent(new Event("input"));
  return document.querySelector(".found").textContent;
}
"""
"""What the page says of a search before it gets its next turn."""


def test_a_long_log(trusted: Page) -> None:
    """100,000 lines are followed, scrolled and searched with few of them in the document."""
    trusted.evaluate(WATCH_LONG_TASKS)
    panel = open_log(trusted, "many")
    expect(panel).to_contain_text("100,000 lines", timeout=30_000)
    expect(numbered(panel, LINES - 1)).to_be_visible()
    lines = panel.get_by_role("region", name="Lines")
    to_end = panel.get_by_role("button", name="Jump to the end")
    expect(to_end).to_be_hidden()
    assert lines.evaluate(SCROLL_BEFORE_DRAWING) == 0
    lines.evaluate(
        """async (node) => {
          for (let step = 40; step >= 0; step -= 1) {
            node.scrollTop = (node.scrollHeight * step) / 40;
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    expect(numbered(panel, 0)).to_be_visible()
    expect(to_end).to_be_visible()
    assert panel.locator(".line").count() < ROWS_AT_MOST

    search = panel.get_by_role("searchbox")
    assert str(search.evaluate(TYPE_ZERO)).endswith("…"), "all of it in one stretch"
    expect(panel.locator(".found")).to_have_text(f"1 of {LINES:,}")
    search.fill("")
    search.press_sequentially("0009999")
    expect(panel.locator(".found")).to_have_text("1 of 11")
    search.press("Shift+Enter")
    expect(panel.locator(".found")).to_have_text("11 of 11")
    expect(panel.locator(".line.current")).to_contain_text("00099999")
    search.press("Enter")
    expect(panel.locator(".line.current")).to_contain_text("00009999")
    to_end.click()
    expect(numbered(panel, LINES - 1)).to_be_visible()
    assert panel.locator(".line").count() < ROWS_AT_MOST
    assert max(trusted.evaluate("longTasks"), default=0) < LONGEST_TASK_MS


def serious(page: Page) -> list[str]:
    """What axe finds that would keep somebody from using the page."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_for_everybody(browser: Browser, stage: Stage, server: Api, theme: Literal["light", "dark"]) -> None:
    """axe finds nothing serious: with a log, with the dialog, in both themes."""
    with opened(browser, stage.url, theme=theme, size=(1600, 900)) as page:
        button(page, 1, "api", "Restart").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert serious(page) == []
        photograph(page, f"dialog-{theme}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        photograph(page, f"desktop-{theme}")

        panel = open_log(page, "speaker")
        field = page.get_by_role("dialog").get_by_label("Token")
        field.fill(server.token)
        field.press("Enter")
        expect(panel.locator(".c1")).to_have_text("red")
        assert serious(page) == []
        photograph(page, f"log-{theme}")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(251, 251, 250)") == (theme == "light")


def test_choices_are_remembered(page: Page) -> None:
    """The theme and what was folded away outlive a reload."""
    page.locator("summary").click()
    expect(row(page, 1, "api")).to_be_hidden()
    toggle = page.get_by_role("button", name="Theme")
    toggle.click()
    toggle.click()
    expect(toggle).to_have_text("Theme: dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(toggle).to_have_text("Theme: dark")
    expect(page.locator("summary")).to_contain_text("2 instances")
    expect(page.locator("tr.service:visible")).to_have_count(0)


RIGHTMOST = """
() => Math.max(...[...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && !node.closest(".sr, .skip, thead, .space"))
  .map((node) => node.getBoundingClientRect().right))
"""
"""Pixels; what is cut off counts too."""


def test_on_a_phone(browser: Browser, stage: Stage, server: Api) -> None:
    """Nothing is wider than the screen, and the log covers it."""
    url = f"{stage.url}#token={server.token}"
    with opened(browser, url, size=(360, 740), is_mobile=True, has_touch=True) as page:
        expect(row(page, 1, "api")).to_contain_text("running")
        assert page.evaluate(RIGHTMOST) <= 360
        photograph(page, "phone")
        button(page, 1, "speaker", "Log of").tap()
        expect(page.locator("#log .c1")).to_have_text("red")
        assert page.evaluate(RIGHTMOST) <= 360
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        photograph(page, "phone-log")
        assert serious(page) == []


def test_server_that_comes_back(browser: Browser, tmp_path: Path) -> None:
    """A lost connection is told, and the page comes back with the server; where nothing is up it says what to
    do, and the first instance appears by itself."""
    with private_home() as home, port_block() as base, contextlib.ExitStack() as stack:
        url = f"http://127.0.0.1:{base + SERVE}/"
        with serving(home, base + SERVE):
            page = stack.enter_context(opened(browser, url, server_goes=True))
            expect(page.get_by_text("No instance is up")).to_be_visible()
            photograph(page, "empty")
        expect(page.locator("#connection")).to_contain_text("connection lost")
        with serving(home, base + SERVE):
            expect(page.locator("#connection")).to_have_text("live")
            folder = tmp_path / HOSTILE
            folder.mkdir()
            write_stack(folder, {"worker": {"command": WAITS}}, base_port=base)
            portsup = Portsup(home, folder)
            stack.callback(portsup.close)
            portsup.up("-i", "1")
            expect(row(page, 1, "worker")).to_contain_text("running")
            expect(page.get_by_text("No instance is up")).to_be_hidden()
            expect(page.locator("summary")).to_contain_text(HOSTILE)
            assert page.evaluate("window.hit") is None
            stack.close()
