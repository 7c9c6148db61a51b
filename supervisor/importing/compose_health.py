"""A compose service's healthcheck → `ready`. Pure."""

from __future__ import annotations

import re
from typing import Any

from supervisor.importing.compose_values import Values
from supervisor.importing.texts import Text, join_words

_LENGTH = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+", re.ASCII)
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "ns": 1e-9}

SHORTEST, LONGEST = 30, 3600
"""Seconds of a ready.timeout."""

INTERVAL, RETRIES = 30.0, 3
"""Docker's own, where the healthcheck says nothing."""

HTTP_PORT = 80

_HTTP = re.compile(
    r"(?:curl|wget)\s(?:.*\s)?[\"']?https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(?P<port>\d+))?"
    r"(?P<path>/[!#-&(-~]*)?[\"']?(?:\s*(?:\|\||>|;|\d>).*)?",
    re.DOTALL,
)
"""What people write to ask for a page."""


def length(text: str) -> float | None:
    """Seconds of a length of time such as 1m30s; None if it is none."""
    if not _LENGTH.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))


def test_words(check: Any, values: Values) -> list[Text] | None:
    """What the check runs, as words; None if it is switched off, or can't be read."""
    if not isinstance(check, dict) or str(check.get("disable", "")).lower() == "true":
        return None
    test = check.get("test")
    if isinstance(test, str):
        return _in_shell(test, values)
    if not isinstance(test, list) or not all(isinstance(word, str) for word in test) or len(test) < 2:
        return None
    kind, *words = test
    if kind == "CMD-SHELL":
        return _in_shell(" ".join(words), values)
    return [values.text(word) for word in words] if kind == "CMD" and words[0] else None


def _in_shell(line: str, values: Values) -> list[Text] | None:
    return [Text.of("sh"), Text.of("-c"), values.text(line)] if line.strip() else None


def http_path(words: list[Text], container_port: int) -> str | None:
    """The path for which a check such as `curl -f http://localhost:8000/health` asks that port."""
    line = words[-1].plain if len(words) == 3 and words[0].plain == "sh" else join_words(words).plain
    match = _HTTP.fullmatch(line.strip()) if line else None
    if match is None or int(match["port"] or HTTP_PORT) != container_port or "$" in (match["path"] or ""):
        return None
    return match["path"] or "/"


def timeout(check: Any, values: Values) -> str | None:
    """How long docker would wait until it calls it unhealthy; None: portsup's own default will do."""

    if not isinstance(check, dict):
        return None

    def seconds(key: str) -> float | None:
        return length(values.plain(value)) if isinstance(value := check.get(key), str) else None

    retries = str(check.get("retries", ""))
    times = int(retries) if re.fullmatch(r"\d{1,3}", retries, re.ASCII) else RETRIES
    whole = (seconds("start_period") or 0) + (seconds("interval") or INTERVAL) * times
    needed = min(max(int(whole), SHORTEST), LONGEST)
    return f"{needed}s" if needed > SHORTEST else None
