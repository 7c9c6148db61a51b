"""A moment in the past, as people write it. Leaf."""

from __future__ import annotations

from supervisor import durations

FORM = 'as "10m" ago, at "14:30" or at "2026-11-24T10:00"'


def moment(text: str, now: float) -> float:
    """How long ago, a time of day (the last one), or a date and time; local unless it says where.

    Seconds since 1970. Raises ValueError, OverflowError, OSError.
    """
    try:
        return now - durations.seconds(text)
    except ValueError:
        pass
    from datetime import datetime, timedelta  # costs milliseconds

    if "-" in text:
        return datetime.fromisoformat(text).timestamp()
    if ":" not in text:
        raise ValueError(text)
    today = datetime.fromtimestamp(now)
    then = datetime.fromisoformat(f"{today:%Y-%m-%d}T{text}")
    if then.timestamp() > now:
        then -= timedelta(days=1)
    return then.timestamp()
