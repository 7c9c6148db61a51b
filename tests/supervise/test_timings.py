"""Figures of the phases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.supervise.timings import KEPT, Timings, quantile


def test_figures() -> None:
    """Count, median, p95 and max, in milliseconds."""
    timings = Timings()
    for milliseconds in range(1, 101):
        timings.add("web", "spawn", milliseconds / 1000)
    assert timings.to_json() == {
        "web": {"spawn": {"count": 100, "median_ms": 50.0, "p95_ms": 95.0, "max_ms": 100.0}}
    }


def test_memory_is_bounded() -> None:
    """Old samples are forgotten, the count goes on."""
    timings = Timings()
    timings.add("web", "stop", 99.0)
    for _ in range(KEPT):
        timings.add("web", "stop", 0.001)
    assert timings.to_json()["web"]["stop"]["count"] == KEPT + 1
    assert timings.to_json()["web"]["stop"]["max_ms"] == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_one_of_the_samples(samples: list[float], q: float) -> None:
    """At least a share q of all samples is not above it."""
    found = quantile(sorted(samples), q)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= q * len(samples) - 1e-9
