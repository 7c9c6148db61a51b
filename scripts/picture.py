"""The picture of `portsup status` that the README shows: real tables, of instances that are made up."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from supervisor.cli.table import render
from supervisor.cli.views import status_view
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

WIDTH = 92
"""Columns of the terminal in the picture."""

SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
    font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""
"""As rich's own, without fonts from the web: a page that shows the picture fetches nothing else."""


def status_picture() -> str:
    """An SVG; the same text each time."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print("$ portsup status", highlight=False)
    console.print(Text.from_ansi(render(status_view(_instances()), width=WIDTH, colour=True)), end="")
    svg = console.export_svg(title="portsup status", code_format=SVG, unique_id="status")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def _instances() -> list[InstanceSnapshot]:
    return [
        _instance(
            1,
            _service("db", 6030, 4211, 1934.0),
            _service("api", 6000, 4236, 1931.2, restarts=1),
            _service("web", 6010, 4240, 1930.8),
        ),
        _instance(
            2,
            _service("db", 6130, 5120, 12.4),
            _service("api", 6101, None, None, state="BACKOFF", reason="ended with code 1; try 2 of 5 in 1 s"),
            _service("web", 6110, None, None, state="PENDING", reason="waits for api"),
        ),
    ]


def _instance(number: int, *services: ServiceSnapshot) -> InstanceSnapshot:
    return InstanceSnapshot(
        instance=number,
        instance_id=f"shop-{number}-000000",
        stack="shop",
        config="/home/ada/shop/services.toml",
        base_port=6000 + (number - 1) * 100,
        state="running",
        supervisor_pid=4210,
        supervisor_started=0.0,
        services=services,
    )


def _service(
    name: str,
    port: int,
    pid: int | None,
    uptime: float | None,
    *,
    state: str = "RUNNING",
    restarts: int = 0,
    reason: str | None = None,
) -> ServiceSnapshot:
    return ServiceSnapshot(
        name=name,
        state=state,
        ready=state == "RUNNING",
        pid=pid,
        ports={"port": port},
        pools={"port": (port, port + 1, port + 2)},
        url=f"http://127.0.0.1:{port}",
        shield="up",
        restarts=restarts,
        uptime_s=uptime,
        exit=None,
        reason=reason,
    )
