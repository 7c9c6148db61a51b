"""Two plans of one instance → what a reload has to do. Pure.

`ASPECTS` says of every key of a service what has to follow when it changes. A service restarts only for
what its process was told at its start: its command, folder, variables, ports, and the check that says that
it is ready. All else is portsup's own business, and holds from the reload on.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from enum import Enum, StrEnum, auto
from typing import Any, NamedTuple

from supervisor import masking
from supervisor.config import sizes
from supervisor.config.interpolate import ENV
from supervisor.config.model import MAIN_POOL, ReadyKind
from supervisor.config.signals import signal_name
from supervisor.config.spans import spans
from supervisor.errors import PortsupError
from supervisor.plan.plan import Claimed, Plan, UnitPlan, dependents_on_ports, used_names
from supervisor.plan.pool import PoolPlan

ENV_FILES = "env_files"
"""The key under which a variable of an env file is shown."""

Values = Mapping[str, Any]
"""Dotted key → value, of what is set."""


class Effect(Enum):
    """What follows when a key changes."""

    RESTART = auto()
    NONE = auto()
    """It holds from now on, whatever runs."""


class Aspect(NamedTuple):
    """One key of a service: what it says, and what its change brings about."""

    read: Callable[[UnitPlan], Values]
    effect: Effect = Effect.NONE
    but: Mapping[str, Effect] = {}
    """The effect of dotted keys whose last part is that."""


def _plain(key: str) -> Callable[[UnitPlan], Values]:
    return lambda unit: {key: getattr(unit.service, key)}


def _table(key: str) -> Callable[[UnitPlan], Values]:
    return lambda unit: {
        f"{key}.{name}": value for name, value in getattr(unit.service, key)._asdict().items()
    }


def _env(unit: UnitPlan) -> Values:
    return {f"env.{name}": value for name, value in unit.service.env.items()}


def _main_pool(unit: UnitPlan) -> PoolPlan | None:
    return next((pool for pool in unit.pools if pool.name == MAIN_POOL), None)


def _pool(unit: UnitPlan) -> Values:
    pool = _main_pool(unit)
    return {} if pool is None else {"pool": pool.ports}


def _port_env(unit: UnitPlan) -> Values:
    pool = _main_pool(unit)
    return {} if pool is None else {"port_env": pool.env}


def _named_pools(unit: UnitPlan) -> Values:
    return {
        f"pools.{pool.name}.{key}": value
        for pool in unit.pools
        if pool.name != MAIN_POOL
        for key, value in (("ports", pool.ports), ("env", pool.env))
    }


def _ready(unit: UnitPlan) -> Values:
    ready = unit.service.ready
    asked = {ReadyKind.HTTP: ready.path, ReadyKind.LOG: ready.pattern, ReadyKind.EXEC: ready.command}
    if ready.kind is ReadyKind.SPAWNED:
        return {}
    return {f"ready.{ready.kind}": asked.get(ready.kind, True), "ready.timeout": ready.timeout}


ASPECTS: Mapping[str, Aspect] = {
    "command": Aspect(_plain("command"), Effect.RESTART),
    "shell": Aspect(_plain("shell"), Effect.RESTART),
    "cwd": Aspect(_plain("cwd"), Effect.RESTART),
    "env": Aspect(_env, Effect.RESTART),
    # Whoever has a port that is still in its pool keeps it; who must move restarts for that: see `moving`.
    "pool": Aspect(_pool),
    "port_env": Aspect(_port_env, Effect.RESTART),
    "pools": Aspect(_named_pools, but={"env": Effect.RESTART}),
    "depends_on": Aspect(_plain("depends_on")),
    "ready": Aspect(_ready, Effect.RESTART, but={"timeout": Effect.NONE}),
    "restart": Aspect(_plain("restart")),
    "backoff": Aspect(_table("backoff")),
    "stop": Aspect(_table("stop")),
    "shield": Aspect(_plain("shield")),
    "on_lost": Aspect(_plain("on_lost")),
    "socket": Aspect(_plain("socket"), Effect.RESTART),
    "watch": Aspect(_plain("watch")),
    "log": Aspect(_table("log")),
    "tty": Aspect(_plain("tty"), Effect.RESTART),
}
"""Key of a service, as in config/keys.SERVICE → its aspect."""


class Verb(StrEnum):
    """What a reload does to a service."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    KEEP = "keep"
    """It goes on as it is."""


class Change(NamedTuple):
    """One key with its values as they may be shown; None where it isn't set."""

    key: str
    old: str | None
    new: str | None


class ServiceDifference(NamedTuple):
    service: str
    verb: Verb
    changes: tuple[Change, ...] = ()
    moves: tuple[str, ...] = ()
    """Pools in which it can't keep its port."""
    told: tuple[str, ...] = ()
    """Services whose ports it is told, and that can't keep them."""


def compare(old: Plan, new: Plan, claimed: Claimed) -> tuple[ServiceDifference, ...]:
    """What differs, service by service: of the new plan in its order, then those that are no more, dependents
    first. `claimed` are the ports that the services hold; one that isn't named there has none to keep.

    Raises PortsupError for what can't change while the instance lives.
    """
    _refuse_instance_wide(old, new)
    before = {unit.name: unit for unit in old.units}
    known = [unit for unit in new.units if unit.name in before and unit.name in claimed]
    moves = {unit.name: moving(unit, claimed[unit.name]) for unit in known}
    told = _told(new, moves)
    found = [
        _service(before.get(unit.name), unit, old, new, moves.get(unit.name, ()), told.get(unit.name, ()))
        for unit in new.units
    ]
    left = before.keys() - {unit.name for unit in new.units}
    gone = [ServiceDifference(unit.name, Verb.STOP) for unit in reversed(old.units) if unit.name in left]
    return (*(one for one in found if one is not None), *gone)


def moving(unit: UnitPlan, held: Mapping[str, int]) -> tuple[str, ...]:
    """The pools of which the port that is held, if any, is none; those that are no more come last."""
    names = [pool.name for pool in unit.pools]
    moved = [pool.name for pool in unit.pools if held.get(pool.name) not in pool.ports]
    return (*moved, *(name for name in held if name not in names))


def _refuse_instance_wide(old: Plan, new: Plan) -> None:
    """What stands in the instance's record, or makes its number."""
    was, now = _stack(old), _stack(new)
    changed = [key for key in was if was[key] != now[key]]
    if changed:
        raise PortsupError(
            f"cannot reload {', '.join(changed)}",
            details=[f"{key}: {was[key]} → {now[key]}" for key in changed],
            hint=f"`portsup down -i {old.instance}`, then `portsup up -i {old.instance}`",
        )


def _stack(plan: Plan) -> dict[str, str]:
    base = plan.base_port - (plan.instance - 1) * plan.stride
    return {"stack.name": plan.stack, "stack.base_port": str(base), "stack.stride": str(plan.stride)}


def _told(new: Plan, moves: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Service → those whose moving ports it names."""
    told: dict[str, tuple[str, ...]] = {}
    for name, pools in moves.items():
        for dependent in dependents_on_ports(new, name, pools):
            told[dependent] = (*told.get(dependent, ()), name)
    return told


def _service(
    before: UnitPlan | None,
    after: UnitPlan,
    old: Plan,
    new: Plan,
    moves: tuple[str, ...],
    told: tuple[str, ...],
) -> ServiceDifference | None:
    if before is None:
        return ServiceDifference(after.name, Verb.START)
    was, now = _values(before, old, new), _values(after, new, old)
    changed = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    if not (changed or moves or told):
        return None
    restarts = bool(moves or told) or any(_effect(key) is Effect.RESTART for key in changed)
    return ServiceDifference(
        after.name,
        Verb.RESTART if restarts else Verb.KEEP,
        tuple(Change(key, _shown(key, was), _shown(key, now)) for key in changed),
        moves,
        told,
    )


def _values(unit: UnitPlan, plan: Plan, other: Plan) -> Values:
    """Of every aspect, and the variables of env files that reach the service and that differ."""
    values: dict[str, Any] = {}
    for aspect in ASPECTS.values():
        values |= aspect.read(unit)
    used = used_names(unit.service)
    reaching = [name for name in plan.env if name not in unit.service.env or ENV + name in used]
    return values | {
        f"{ENV_FILES}.{name}": plan.env[name] for name in reaching if other.env.get(name) != plan.env[name]
    }


def _effect(key: str) -> Effect:
    first, _, rest = key.partition(".")
    if first == ENV_FILES:
        return Effect.RESTART
    aspect = ASPECTS[first]
    return aspect.but.get(rest.rpartition(".")[2], aspect.effect) if rest else aspect.effect


def _shown(key: str, values: Values) -> str | None:
    """A value as a person may see it."""
    if key not in values:
        return None
    value = values[key]
    if key.startswith(("env.", f"{ENV_FILES}.")):
        return masking.mask(key.partition(".")[2], value)
    if key in ("command", "ready.exec"):
        return shlex.join(masking.mask_command(value)) if len(value) > 1 else masking.mask_text(value[0])
    if key == "stop.signal":
        return signal_name(value)
    if key == "log.max_size":
        return sizes.text(value)
    return masking.mask_text(_text(value))


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() if all(isinstance(item, int) for item in value) and value:
            return spans(value)
        case tuple():
            return ", ".join(map(str, value)) or "none"
    return str(value)
