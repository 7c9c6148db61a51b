"""Pools that get in each other's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from supervisor.config.fields import Field
from supervisor.config.model import MAIN_POOL, Pool, RelativePool, SharedPool
from supervisor.config.problems import dotted
from supervisor.config.services import Draft
from supervisor.config.spans import spans


class Owned(NamedTuple):
    """A pool with its service, and where it stands, which may be [defaults]."""

    service: str
    pool: Pool
    field: Field

    def __str__(self) -> str:
        keys = ("pool",) if self.pool.name == MAIN_POOL else ("pools", self.pool.name)
        return dotted(("services", self.service, *keys))


class _Taken:
    """Numbers (offsets or ports) and whose they are, and whom a newcomer would meet there."""

    def __init__(self) -> None:
        self.owners: dict[int, int] = {}

    def meet(self, index: int, numbers: Sequence[int]) -> dict[int, list[int]]:
        """Take `numbers` for pool `index`; those that others have already, by their index."""
        met: dict[int, list[int]] = {}
        for number in numbers:
            owner = self.owners.setdefault(number, index)
            if owner != index:
                met.setdefault(owner, []).append(number)
        return met


def check_variables(drafts: Sequence[Draft]) -> None:
    """No two pools of one service may have their port in the same variable."""
    for draft in drafts:
        _check_variables(draft)


def check_ports(drafts: Sequence[Draft], base_port: int, stride: int) -> None:
    """Every relative pool lies inside its instance's stride, and no two pools overlap."""
    pools = [
        Owned(draft.name, pool, draft.pool_field(pool)) for draft in drafts for pool in draft.service.pools
    ]
    inside = [owned for owned in pools if _inside_stride(owned, stride)]
    offsets, ports = _Taken(), _Taken()
    for index, owned in enumerate(inside):
        if isinstance(owned.pool, RelativePool):
            _check_relative(inside, index, owned.pool, offsets, stride)
        else:
            _check_shared(inside, index, owned.pool, ports)
    for owned in inside:
        if isinstance(owned.pool, SharedPool):
            _check_mixed(owned, owned.pool, offsets, inside, base_port)


def _check_variables(draft: Draft) -> None:
    seen: dict[str, Pool] = {}
    for pool in draft.service.pools:
        other = seen.setdefault(pool.env, pool)
        if other is not pool:
            field = draft.pool_field(pool)
            hint = "give it another env" if field.has("env") else "give it an env"
            field.wrong(f"{pool.env} carries the port of {other.place.key} already", hint)


def _inside_stride(owned: Owned, stride: int) -> bool:
    pool = owned.pool
    if isinstance(pool, SharedPool) or pool.offset + pool.size <= stride:
        return True
    owned.field.wrong(
        f"runs past the instance's stride: offset + size is {pool.offset + pool.size}, stride is {stride}",
        f"stay within {stride}, or raise stack.stride",
    )
    return False


def _check_relative(
    pools: Sequence[Owned], index: int, pool: RelativePool, offsets: _Taken, stride: int
) -> None:
    met = offsets.meet(index, range(pool.offset, pool.offset + pool.size))
    for other, shared in met.items():
        free = _free_offset(pools, pool.size, stride)
        hint = f"offset = {free} is free" if free is not None else "raise stack.stride for more room"
        pools[index].field.wrong(f"overlaps {pools[other]} at offset {spans(shared)}", hint)


def _free_offset(pools: Sequence[Owned], size: int, stride: int) -> int | None:
    """The lowest offset at which `size` ports are nobody's."""
    start = 0
    relative = [owned.pool for owned in pools if isinstance(owned.pool, RelativePool)]
    for pool in sorted(relative, key=lambda pool: pool.offset):
        if start + size <= pool.offset:
            break
        start = max(start, pool.offset + pool.size)
    return start if start + size <= stride else None


def _check_shared(pools: Sequence[Owned], index: int, pool: SharedPool, ports: _Taken) -> None:
    for other, shared in ports.meet(index, pool.ports).items():
        pools[index].field.wrong(f"overlaps {pools[other]} at port {spans(shared)}")


def _check_mixed(
    owned: Owned, pool: SharedPool, offsets: _Taken, pools: Sequence[Owned], base_port: int
) -> None:
    """A shared port may be a relative one of some instance. The lock keeps the two apart, so that only
    instance 1, which everyone has, makes it an error."""
    met: dict[int, list[int]] = {}
    for port in pool.ports:
        if (other := offsets.owners.get(port - base_port)) is not None:
            met.setdefault(other, []).append(port)
    for other, shared in met.items():
        owned.field.wrong(f"overlaps {pools[other]} of instance 1 at port {spans(shared)}")
