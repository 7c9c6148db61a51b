"""Opening the page in this user's browser, with the token.

A browser is a program with a command line that every user of the machine can read. So it is given the name
of a file that only this user can read, and the file leads to the page: with the token behind the #, which
no browser sends anywhere.
"""

from __future__ import annotations

import html
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor import private
from supervisor.errors import PortsupError
from supervisor.paths import state_folder

REDIRECT = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}">
<title>portsup</title>
<a href="{url}">portsup</a>
"""


@contextmanager
def opened(url: str, token: bytes, tell: Callable[[str], None]) -> Iterator[None]:
    """The file is there as long as this is open. `tell` gets a line if no browser could be started: that is
    no reason not to serve. Raises PortsupError if the file can't be written."""
    file = _write(REDIRECT.format(url=html.escape(f"{url}#token={token.decode('ascii')}")))
    # A browser for terminals keeps whoever starts it waiting.
    threading.Thread(target=_open, args=(file, url, tell), daemon=True).start()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _write(text: str) -> Path:
    """A name that nobody has opened yet, in a folder that is closed for others' writing."""
    file = state_folder() / f"open-page.{secrets.token_hex(4)}.html"
    try:
        private.make_state_folder()
        with open(file, "x", encoding="utf-8", opener=private.open_private) as opened:
            opened.write(text)
    except OSError as error:
        raise PortsupError(
            f"cannot write {file}: {error.strerror}", hint="serve without --open, and open the page yourself"
        ) from error
    return file


def _open(file: Path, url: str, tell: Callable[[str], None]) -> None:
    import webbrowser

    try:
        started = webbrowser.open(file.as_uri())
    except (webbrowser.Error, OSError):
        started = False
    if not started:
        tell(f"portsup: cannot open a browser here; the page is {url}")
