"""The Markdown that `scripts/bench` prints."""

from __future__ import annotations

from figures import Figure
from report import tables


def test_rows_are_medians_and_peers_have_columns() -> None:
    """A launcher that took no part in a row has a dash there; allocators of ports have their own table."""
    figures = [
        *(Figure("a", "up", "portsup", value, "ms") for value in (30, 1000, 20)),
        Figure("a", "up", "bare", 10, "ms"),
        Figure("d", "switches", "portsup", 3, ""),
        Figure("a", "up", "honcho", 1234, "ms"),
        Figure("g", "claims", "portsup", 5, "1/s"),
    ]
    assert tables(figures).splitlines() == [
        "|  |  | portsup | bare | ratio | honcho |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| a | up, ms | 30 | 10 | 3.00 | 1,234 |",
        "| d | switches | 3 | - | - | - |",
        "",
        "|  |  | portsup | bare | ratio |",
        "| --- | --- | ---: | ---: | ---: |",
        "| g | claims, 1/s | 5 | - | - |",
    ]
