"""Ports that people are used to → pools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.importing.layout import lay_out

PORTS = st.lists(st.one_of(st.none(), st.integers(1, 65535)), max_size=120)


@given(PORTS)
def test_pools_never_meet(usual: list[int | None]) -> None:
    """Each lies within the stride, and instance 1 within the ports that there are."""
    layout = lay_out(usual)
    assert layout.base_port >= 1 and layout.base_port + layout.stride <= 65536
    ports = [pool.offset + i for pool in layout.pools for i in range(pool.size)]
    assert len(layout.pools) == len(usual)
    assert len(set(ports)) == len(ports)
    assert all(0 <= port < layout.stride for port in ports)
    assert all(1 <= pool.size <= 3 for pool in layout.pools)


@given(st.integers(1024, 65400), st.sets(st.integers(0, 99), min_size=1, max_size=10))
def test_neighbouring_numbers_are_kept(base: int, offsets: set[int]) -> None:
    """Ports of one hundred stay what they are in instance 1."""
    usual = [base // 100 * 100 + offset for offset in offsets]
    layout = lay_out(list(usual))
    assert [layout.first_port(index) for index in range(len(usual))] == usual or min(usual) < 1024


@pytest.mark.parametrize(
    ("usual", "firsts", "stride"),
    [
        ([3000], [3000], 100),
        ([3000, 3036], [3000, 3036], 100),
        ([8080, 8443, 8000], [8080, 8443, 8000], 1000),
        ([80, 443], [8080, 8443], 1000),
        ([3000, 5432, 6379], [3000, 3432, 3379], 1000),
        ([3000, 8000], [3000, 3010], 1000),
        ([5000, None, None], [5000, 5010, 5020], 100),
        ([None], [8000], 100),
        ([], [], 100),
        ([8000, 8001, 8000], [8000, 8001, 8010], 100),
    ],
)
def test_numbers_stay_memorable(usual: list[int | None], firsts: list[int], stride: int) -> None:
    """The same, or the same last digits."""
    layout = lay_out(usual)
    assert [layout.first_port(index) for index in range(len(usual))] == firsts
    assert layout.stride == stride
