"""`portsup serve`: the API server, which is itself a service of the sample stack."""

from __future__ import annotations

import click

from supervisor.cli.options import examples
from supervisor.cli.output import note
from supervisor.errors import UsageError


@click.command(epilog=examples("portsup serve --port 9000 --open", "PORT=9000 portsup serve"))
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar=["PORTSUP_PORT", "PORT"],
    show_envvar=True,
    help="The port of 127.0.0.1 to listen on.",
)
@click.option(
    "--open",
    "open_page",
    is_flag=True,
    envvar="PORTSUP_OPEN",
    show_envvar=True,
    help="Open the page in your browser, signed in.",
)
def serve(port: int | None, open_page: bool) -> None:
    """Serve a page and the API of all instances over HTTP, on 127.0.0.1 only.

    Below `portsup up` the port comes from the service's pool, in PORT. GET / is the page, or for curl a
    list of what can be asked; GET /api/docs explains it. Every user of the machine can read states, ports
    and events; what services printed, and what changes something, needs a token, from a file that only you
    can read. Where that is, stderr says.

    GET /metrics is for Prometheus. With OTEL_EXPORTER_OTLP_ENDPOINT set, traces of the lifecycle are
    sent there.
    """
    if port is None:
        raise UsageError(
            "no port to listen on",
            hint="name one with `portsup serve --port 9000`, or make it a service of services.toml",
        )
    from supervisor import paths
    from supervisor.telemetry.exporter import exporting
    from supervisor.web import serve as server

    with exporting(paths.lock_folder(), lambda text: note(f"portsup: {text}")):
        server.serve(port, note, open_page=open_page)
