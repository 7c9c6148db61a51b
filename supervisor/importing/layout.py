"""Ports that people are used to → base port, stride and pools, so that they keep their numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from supervisor.config.pool_keys import HIGHEST_PORT

USUAL_BASE = 8000
"""Where no port has a number yet. 6000, the loader's own default, is one that browsers refuse."""

NARROW, WIDE = 100, 1000
"""Strides. The wide one leaves a number its last three digits, and room for more services."""

POOL_SIZE = 3
ROOMY = 10
"""Offsets of ports without a number are multiples of it, as long as there are some."""

UNPRIVILEGED = 1024


class Pool(NamedTuple):
    offset: int
    size: int


class Layout(NamedTuple):
    base_port: int
    stride: int
    pools: tuple[Pool, ...]
    """In the order of the ports."""

    def first_port(self, index: int) -> int:
        """In instance 1."""
        return self.base_port + self.pools[index].offset


def lay_out(usual: Sequence[int | None]) -> Layout:
    """Pools that don't overlap. As many ports as can be keep their number in instance 1."""
    wanted = list(_unique(usual))
    numbers = [number for number in wanted if number is not None]
    base, stride = _base_and_stride(numbers, len(usual))
    offsets = _offsets(wanted, base, stride)
    return Layout(base, stride, tuple(_sized(offsets, stride)))


def _unique(usual: Sequence[int | None]) -> Iterator[int | None]:
    """80 needs root and becomes 8080, 443 becomes 8443; of two that want the same, the first gets it."""
    seen: set[int] = set()
    for port in usual:
        number = port if port is None or port >= UNPRIVILEGED else USUAL_BASE + port
        if number in seen:
            number = None
        if number is not None:
            seen.add(number)
        yield number


def _base_and_stride(numbers: Sequence[int], count: int) -> tuple[int, int]:
    for stride in (NARROW, WIDE):
        base = _best_base(numbers, stride)
        if _kept(numbers, base, stride) == len(numbers) and count * ROOMY <= stride:
            return base, stride
    stride = -(-count // (WIDE // ROOMY)) * WIDE
    return _best_base(numbers, stride), stride


def _best_base(numbers: Sequence[int], stride: int) -> int:
    """The round number at which most keep theirs; of equals, the one for the first."""
    highest = HIGHEST_PORT + 1 - stride
    candidates = [base for number in numbers if stride <= (base := number // stride * stride) <= highest]
    return max(candidates, key=lambda base: _kept(numbers, base, stride), default=min(USUAL_BASE, highest))


def _kept(numbers: Sequence[int], base: int, stride: int) -> int:
    return sum(base <= number < base + stride for number in numbers)


def _offsets(wanted: Sequence[int | None], base: int, stride: int) -> list[int]:
    """Who keeps its number comes first, then who keeps its last digits, then the others."""
    found: dict[int, int] = {}
    for index, number in enumerate(wanted):
        if number is not None and base <= number < base + stride:
            found[index] = number - base
    for index, number in enumerate(wanted):
        if index not in found:
            found[index] = _free(number, set(found.values()), stride)
    return [found[index] for index in range(len(wanted))]


def _free(number: int | None, taken: set[int], stride: int) -> int:
    candidates = [] if number is None else [number % stride]
    candidates += [*range(0, stride, ROOMY), *range(stride)]
    return next(offset for offset in candidates if offset not in taken)


def _sized(offsets: Sequence[int], stride: int) -> Iterator[Pool]:
    """As large as the neighbour above leaves room for."""
    edges = sorted([*offsets, stride])
    for offset in offsets:
        above = edges[edges.index(offset) + 1]
        yield Pool(offset, min(POOL_SIZE, above - offset))
