"""What a browser gets: the page, its files, and a browser that is started with the token."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import COMMAND, Home, port_block, private_home, wait_until
from web_help import Api, greeting, serving

from supervisor import paths

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """One for all: nothing here changes anything."""
    with private_home() as home, port_block() as port, serving(home, port) as running:
        yield running


def test_the_front_page(api: Api) -> None:
    """HTML for whoever accepts it, whatever stands behind the question mark; else a text."""
    for path in ("/", "/?theme=dark"):
        status, headers, body = api.get(path, headers=HTML)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (headers["vary"], body[:15].lower()) == ("Accept", b"<!doctype html>")
    status, headers, _ = api.get("/", headers={"Accept": "*/*"})
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert headers["vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", "/api/docs", "/static/docs.js", "/api/v1/services", "/nowhere"])
def test_what_a_browser_is_told(api: Api, path: str) -> None:
    """Nothing from elsewhere, no inline script, no frame, no referrer, no guesses about what it is."""
    _, headers, _ = api.get(path, headers=HTML)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "unsafe" not in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("docs.html", "text/html; charset=utf-8"),
        ("docs.js", "text/javascript; charset=utf-8"),
        ("docs.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
    ],
)
def test_files(api: Api, path: str, kind: str) -> None:
    """Each with its type, and not again for whoever has it."""
    status, headers, body = api.get(f"/static/{path}")
    assert (status, headers["content-type"]) == (200, kind)
    assert body
    again = api.get(f"/static/{path}", headers={"If-None-Match": headers["etag"]})
    assert (again[0], again[2]) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "nowhere",
        "docs.html/",
        "../app.py",
        "..%2Fapp.py",
        "%2e%2e/app.py",
        "/etc/passwd",
        "a%00b",
    ],
)
def test_no_other_files(api: Api, path: str) -> None:
    """Only what lies in static/."""
    status, _, body = api.get(f"/static/{path}")
    refusal = {"error": "Not Found", "details": [], "hint": "GET / lists what there is"}
    assert (status, json.loads(body)) == (404, refusal)


@pytest.mark.parametrize("path", ["index.html", "docs.html"])
def test_pages_obey_the_policy(api: Api, path: str) -> None:
    """No script or style stands in them, and all that they load is from here."""
    text = api.get(f"/static/{path}")[2].decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    assert not re.findall(r'(?:src|href)="(?!/|#)', text)


def browser(home: Home) -> Path:
    """A browser that notes what it is started with and what lies there."""
    script = home.folder / "browser"
    script.write_text(
        f'#!/bin/sh\ncp -p "${{1#file://}}" {home.folder}/seen\necho "$@" > {home.folder}/argv\n'
    )
    script.chmod(0o755)
    return script


def test_open(portsup_home: Home, ports_block: int) -> None:
    """The browser gets a file that only this user can read; the token is nowhere else, and then nowhere."""
    noted = portsup_home.folder / "argv"
    with serving(portsup_home, ports_block, "--open", BROWSER=str(browser(portsup_home))) as api:
        wait_until(lambda: noted.exists() and noted.read_text(), 10, "the browser")
        seen = portsup_home.folder / "seen"
        assert f"url=http://127.0.0.1:{ports_block}/#token={api.token}" in seen.read_text()
        assert seen.stat().st_mode & 0o777 == 0o600
        (file,) = paths.state_folder(portsup_home.variables).glob("*.html")
        assert noted.read_text() == f"{file.as_uri()}\n" and api.token not in str(file)
        api.process.terminate()
        assert api.process.communicate(timeout=20) == ("", greeting(portsup_home))
    assert not file.exists()


def test_open_without_a_browser(portsup_home: Home, ports_block: int) -> None:
    """It serves all the same, and says where the page is."""
    nothing = {"PATH": "/nonexistent", "BROWSER": "/nonexistent"}
    with serving(portsup_home, ports_block, "--open", **nothing) as api:
        assert api.json("/api/v1/health")[0] == 200
        assert api.process.stderr is not None
        told = [api.process.stderr.readline() for _ in range(2)]
        assert told == [
            greeting(portsup_home),
            f"portsup: cannot open a browser here; the page is http://127.0.0.1:{ports_block}/\n",
        ]


def test_on_a_terminal(portsup_home: Home, ports_block: int) -> None:
    """There it says where the page is."""
    shown, terminal = os.openpty()
    command = [*COMMAND, "serve", "--port", str(ports_block)]
    with subprocess.Popen(
        command, env=portsup_home.environ, stdout=terminal, stderr=subprocess.DEVNULL
    ) as it:
        try:
            os.close(terminal)
            with open(shown, encoding="utf-8") as lines:
                assert lines.readline() == f"listening on http://127.0.0.1:{ports_block}\n"
                assert lines.readline() == f"the page: http://127.0.0.1:{ports_block}/\n"
        finally:
            it.terminate()
    assert it.returncode == 0
