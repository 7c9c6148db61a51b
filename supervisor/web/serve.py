"""`portsup serve`: the API server on its port."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor import paths
from supervisor.extras import missing_extra
from supervisor.loopback import serving, token
from supervisor.web.open_page import opened as page_opened

if TYPE_CHECKING:
    import uvicorn


def serve(port: int, tell: Callable[[str], None], *, open_page: bool = False) -> None:
    """Serve until a signal, then return. Port 0 lets the kernel choose.

    On a terminal it prints where the page is; `tell` gets the line that says where the token is. With
    `open_page` a browser is started. Raises PortsupError if the extra `web` isn't installed, the port is
    taken or the token's file can't be trusted.
    """
    server = _make_server(paths.lock_folder())
    token_file = paths.api_token_file()
    shown = token.current(token_file)

    def greet(url: str, stack: ExitStack) -> None:
        tell(f"portsup: logs and changes need the token in {token_file}")
        if sys.stdout.isatty():
            print(f"the page: {url}/", flush=True)
        if open_page:
            stack.enter_context(page_opened(f"{url}/", shown, tell))

    serving.serve(server, port, greet)


def _make_server(folder: Path) -> uvicorn.Server:
    try:
        from supervisor.web.app import make_app
        from supervisor.web.server import Server
    except ModuleNotFoundError as missing:
        raise missing_extra("serve", "web", missing) from missing
    app = make_app(folder)
    return Server(serving.config(app), app.state.end_streams)
