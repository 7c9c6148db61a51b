"""Pool → the ports that one instance may use, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.config.model import Pool


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool as one instance sees it."""

    name: str
    env: str
    ports: tuple[int, ...]
    shared: bool


def pool_plan(pool: Pool, base_port: int) -> PoolPlan:
    raise NotImplementedError
