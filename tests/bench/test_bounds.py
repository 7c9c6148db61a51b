"""Which figures `scripts/bench --check` lets pass."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bounds import BOUNDS, MARGIN, Bound, broken
from figures import Figure

RATIO = Bound("up", 2)
RATE = Bound("lines", 0.6, at_least=True)
OWN = Bound("memory", 30, unit="MiB")


def figures(what: str, portsup: Sequence[float], bare: Sequence[float]) -> list[Figure]:
    by_launcher = {"portsup": portsup, "bare": bare}
    return [Figure("a", what, name, value, "") for name, values in by_launcher.items() for value in values]


@pytest.mark.parametrize(
    ("bound", "portsup", "bare", "line"),
    [
        (RATIO, [30], [10], None),
        (RATIO, [31], [10], "up: 3.1 times the bare loop's, more than 3"),
        (RATIO, [99, 30], [10, 50], None),
        (RATIO, [], [10], "up: not measured"),
        (RATIO, [30], [], "up: not measured"),
        (RATE, [4], [10], None),
        (RATE, [3.9], [10], "lines: 0.39 times the bare loop's, less than 0.4"),
        (RATE, [1, 4], [5, 10], None),
        (OWN, [45], [], None),
        (OWN, [46], [1000], "memory: 46 MiB, more than 45"),
        (OWN, [0, 46], [], "memory: 46 MiB, more than 45"),
        (OWN, [], [], "memory: not measured"),
    ],
)
def test_a_bound_is_kept_or_told(
    bound: Bound, portsup: Sequence[float], bare: Sequence[float], line: str | None
) -> None:
    """The best ratio of all rounds counts, and of what isn't a ratio the worst; the margin is on top."""
    assert MARGIN == 1.5
    told = list(broken(figures(bound.what, portsup, bare), [bound]))
    assert told == ([] if line is None else [line])


def test_each_broken_bound_has_a_line() -> None:
    """Nothing measured: every bound of the table is told once."""
    assert list(broken([], BOUNDS)) == [f"{bound.what}: not measured" for bound in BOUNDS]
