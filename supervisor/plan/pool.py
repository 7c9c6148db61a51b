"""Pool → the ports that one instance may use, in order. Pure."""

from __future__ import annotations

from typing import NamedTuple

from supervisor.config.model import Pool, SharedPool


class PoolPlan(NamedTuple):
    """A pool as one instance sees it."""

    name: str
    env: str
    ports: tuple[int, ...]
    shared: bool
    listen: bool = False
    """portsup itself listens on the port, and hands the socket down."""


def pool_plan(pool: Pool, base_port: int, *, listen: bool = False) -> PoolPlan:
    if isinstance(pool, SharedPool):
        return PoolPlan(pool.name, pool.env, pool.ports, shared=True, listen=listen)
    first = base_port + pool.offset
    ports = tuple(range(first, first + pool.size))
    return PoolPlan(pool.name, pool.env, ports, shared=False, listen=listen)
