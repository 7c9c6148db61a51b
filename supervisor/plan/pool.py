"""Pool → the ports that one instance may use, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.config.model import Pool, SharedPool


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool as one instance sees it."""

    name: str
    env: str
    ports: tuple[int, ...]
    shared: bool


def pool_plan(pool: Pool, base_port: int) -> PoolPlan:
    if isinstance(pool, SharedPool):
        return PoolPlan(pool.name, pool.env, pool.ports, shared=True)
    first = base_port + pool.offset
    return PoolPlan(pool.name, pool.env, tuple(range(first, first + pool.size)), shared=False)
