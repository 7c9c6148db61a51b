"""What the tables of `status`, `ps` and `top` say alike of an instance and its services. Leaf."""

from __future__ import annotations

import os

from supervisor.snapshot import ServiceSnapshot

STATE_STYLES = {
    "RUNNING": "green",
    "PENDING": "yellow",
    "STARTING": "yellow",
    "BACKOFF": "yellow",
    "STOPPING": "yellow",
    "STOPPED": "dim",
    "EXITED": "dim",
    "FATAL": "bold red",
    "running": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "degraded": "bold red",
    "suspended": "bold red",
    "dead": "bold red",
    "unreachable": "bold red",
}
"""Of services in capitals, of instances in small letters: the terminal's own colours, as rich names them."""

SHIELD_STYLES = {"up": "green", "lost": "bold red", "off": "dim", "none": "dim"}


def home_as_tilde(path: str) -> str:
    home = os.environ.get("HOME", "").rstrip("/")
    return "~" + path.removeprefix(home) if home and f"{path}/".startswith(f"{home}/") else path


def ports(service: ServiceSnapshot) -> str:
    """The main port as a number, further ones with the name of their pool."""
    named = [f"{pool}:{port}" for pool, port in service.ports.items() if pool != "port"]
    main = [] if service.port is None else [str(service.port)]
    return " ".join(main + named) or "-"


def trouble(service: ServiceSnapshot) -> str | None:
    """Why it isn't up, or its shield isn't, where that is known."""
    if service.is_up and service.shield != "lost":
        return None
    parts = [service.reason] if service.reason else []
    if service.exit is not None and service.exit not in (service.reason or ""):
        parts.append(f"last exit: {service.exit}")
    return "; ".join(parts) or None


def outcome(service: ServiceSnapshot) -> str:
    """What is said of it after it was started, stopped, restarted or reloaded."""
    words = [service.name, service.state]
    if service.url is not None and service.pid is not None:
        words.append(service.url)
    text = " ".join(words)
    return f"{text}: {service.reason}" if service.reason else text
