"""What tests with generated input share: few examples in every run, very many with --long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

T = TypeVar("T")

LONG = 20_000


def amounts(short: int, long: int = LONG) -> pytest.MarkDecorator:
    """Run the test with `amount` examples: `short` in every run, `long` with --long."""
    marks = [pytest.mark.long, pytest.mark.timeout(3600)]
    return pytest.mark.parametrize("amount", [short, pytest.param(long, marks=marks)])


def for_all(strategy: st.SearchStrategy[T], check: Callable[[T], Any], amount: int) -> None:
    """Raises what `check` raises, for the smallest example that was found."""

    @settings(max_examples=amount, suppress_health_check=[HealthCheck.too_slow])
    @given(strategy)
    def run(example: T) -> None:
        check(example)

    run()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, 2**63, 10**400, -1])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\0", "\x1b[2J", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
"""Also what JSON knows of and the standard doesn't: NaN, Infinity, lone surrogates."""


@st.composite
def with_wrong_values(draw: st.DrawFn, document: Any) -> Any:
    """`document`, JSON, with one to three of its values replaced, at any depth."""
    result = document
    for _ in range(draw(st.integers(1, 3))):
        result = _replaced(draw, result)
    return result


def _replaced(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.booleans() | st.just(True)):
        key = draw(st.sampled_from(sorted(value)))
        rest = {name: inner for name, inner in value.items() if name != key}
        return rest if draw(st.integers(0, 7)) == 0 else {**value, key: _replaced(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _replaced(draw, value[at]), *value[at + 1 :]]
    return draw(json_values)
