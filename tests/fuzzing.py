"""What tests with generated input share: few examples in every run, many with --long."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

T = TypeVar("T")

LONG = 2_000


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
    """`document`, JSON, with one to three of its values replaced or left out, at any depth."""
    result = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = _places(result)
        if not places:
            return draw(json_values)
        holder, key = draw(st.sampled_from(places))
        if draw(st.integers(0, 7)):
            holder[key] = draw(json_values)
        else:
            del holder[key]
    return result


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every list and table inside, with each key or index that it has."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in ((value, key), *_places(value[key]))]
