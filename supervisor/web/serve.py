"""`portsup serve`: the app on a port of the loopback address, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from supervisor import paths
from supervisor.extras import missing_extra
from supervisor.loopback import serving, token
from supervisor.web.open_page import opened as page_opened


def serve(port: int, tell: Callable[[str], None], *, open_page: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C, then return. Port 0 lets the kernel choose.

    Prints the URL, and on a terminal that it is a page; `tell` gets the line that says where the token is.
    With `open_page` a browser is started. Raises PortsupError if the extra `web` isn't installed, the port is
    taken or the token's file can't be trusted.
    """
    try:
        import uvicorn  # noqa: F401 - its absence is told as that of the others

        from supervisor.web.app import make_app
    except ModuleNotFoundError as missing:
        raise missing_extra("serve", "web", missing) from missing
    app = make_app(paths.lock_folder())
    token_file = paths.api_token_file()
    shown = token.current(token_file)

    def greet(url: str) -> None:
        tell(f"portsup: logs and changes need the token in {token_file}")
        if sys.stdout.isatty():
            print(f"the page: {url}/", flush=True)

    def beside(url: str) -> AbstractContextManager[object]:
        return page_opened(f"{url}/", shown, tell) if open_page else nullcontext()

    serving.serve(app, port, greet, end_streams=app.state.end_streams, beside=beside)
