"""The Markdown that `scripts/bench` prints."""

from __future__ import annotations

from figures import Figure
from report import tables


def test_rows_are_medians_and_peers_have_columns() -> None:
    """A launcher that took no part in a row has a dash there, one that took part less often says so;
    allocators of ports have their own table."""
    figures = [
        *(Figure("a", "up", "portsup", value, "ms") for value in (30, 1000, 20)),
        *(Figure("a", "up", "bare", 10, "ms") for _ in range(3)),
        Figure("d", "switches", "portsup", 3, ""),
        *(Figure("a", "up", "honcho", value, "ms") for value in (1234, 1234)),
        Figure("g", "claims", "portsup", 5, "1/s"),
    ]
    assert tables(figures).splitlines() == [
        "|  |  | of | portsup | bare | ratio | honcho |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| a | up, ms | 3 | 30 | 10 | 3.00 | 1,234 (of 2) |",
        "| d | switches | 1 | 3 | - | - | - |",
        "",
        "|  |  | of | portsup | bare | ratio |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| g | claims, 1/s | 1 | 5 | - | - |",
    ]
