"""Config × instance number → Plan: all that is known before a port is claimed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from supervisor.config import variables
from supervisor.config.interpolate import (
    ENV,
    PORT_FD,
    fill_ready,
    interpolate,
    names_of_pool,
    references,
    templates,
)
from supervisor.config.model import MAIN_POOL, Config, Problem, Ready, Service
from supervisor.config.problems import suggestion
from supervisor.errors import ConfigError, UsageError
from supervisor.plan import hazards
from supervisor.plan.environment import inherited
from supervisor.plan.instance import base_port
from supervisor.plan.pool import PoolPlan, pool_plan

HOST = "127.0.0.1"

LISTEN_FDS_START = 3
"""The descriptor under which a child gets its listening socket: sd_listen_fds(3)."""

DEFAULTS = {"PYTHONUNBUFFERED": "1"}
"""Else what a Python service prints into our pipe would stay in its buffer, and its log mute."""

Claimed = Mapping[str, Mapping[str, int]]
"""Service → pool → port: what the claims gave."""


class UnitPlan(NamedTuple):
    service: Service
    pools: tuple[PoolPlan, ...]

    @property
    def name(self) -> str:
        return self.service.name


class Plan(NamedTuple):
    config: Path
    stack: str
    instance: int
    base_port: int
    env: Mapping[str, str]
    units: tuple[UnitPlan, ...]
    """Dependencies before their dependents, else in the file's order."""
    warnings: tuple[Problem, ...] = ()
    """About this instance's ports."""
    stride: int = 100


class Launch(NamedTuple):
    """All that starting a unit takes, with everything filled in."""

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    set_here: dict[str, str]
    """The part of `env` that portsup and services.toml set, env files included."""
    ready: Ready


def make_plan(config: Config, instance: int) -> Plan:
    """Raises UsageError for an impossible number."""
    base = base_port(config.base_port, config.stride, instance)
    return Plan(
        config=config.path,
        stack=config.stack,
        instance=instance,
        base_port=base,
        env=config.env,
        units=tuple(_unit(service, base) for service in _in_order(config.services)),
        warnings=hazards.warnings(config, instance, base),
        stride=config.stride,
    )


def _unit(service: Service, base: int) -> UnitPlan:
    pools = (
        pool_plan(pool, base, listen=service.socket and pool.name == MAIN_POOL) for pool in service.pools
    )
    return UnitPlan(service, tuple(pools))


def _in_order(services: Sequence[Service]) -> Iterator[Service]:
    """Dependencies first; of those that could come next, the first in the file."""
    import heapq
    from graphlib import TopologicalSorter

    places = {service.name: place for place, service in enumerate(services)}
    sorter = TopologicalSorter({service.name: service.depends_on for service in services})
    sorter.prepare()
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, places[name])
        service = services[heapq.heappop(ready)]
        yield service
        sorter.done(service.name)


def with_dependencies(plan: Plan, names: Iterable[str]) -> frozenset[str]:
    """`names` and all that they depend on. Raises UsageError for a name that isn't in the stack."""
    needs = {unit.name: unit.service.depends_on for unit in plan.units}
    result: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needs:
            raise UsageError(f'there is no service "{name}" in {plan.stack}', hint=suggestion(name, needs))
        if name not in result:
            result.add(name)
            waiting.extend(needs[name])
    return frozenset(result)


def url(port: int) -> str:
    return f"http://{HOST}:{port}"


def instance_variables(plan: Plan, claimed: Claimed, *, instance_id: str, data_dir: Path) -> dict[str, str]:
    """What `portsup env` prints: HOST, PORTSUP_INSTANCE, …, and PORTSUP_<SERVICE>_PORT and _URL of every
    service that has claimed its main port."""
    result = {
        variables.HOST: HOST,
        variables.INSTANCE: str(plan.instance),
        variables.INSTANCE_ID: instance_id,
        variables.STACK: plan.stack,
        variables.BASE_PORT: str(plan.base_port),
        variables.DATA_DIR: str(data_dir),
    }
    for unit in plan.units:
        port = claimed.get(unit.name, {}).get(MAIN_POOL)
        if port is not None:
            result[variables.port_of(unit.name)] = str(port)
            result[variables.url_of(unit.name)] = url(port)
    return result


class Common(NamedTuple):
    """What all launches of an instance have in common, for as long as its claims stay the same."""

    claimed: Claimed
    outer: dict[str, str]
    """The part of the environment that is neither portsup's nor the service's."""
    own: dict[str, str]
    """portsup's own variables."""
    values: dict[str, str]
    """What `${name}` stands for, but for `${env:…}` and a service's own port."""


def make_common(
    plan: Plan, claimed: Claimed, *, instance_id: str, data_dir: Path, environ: Mapping[str, str]
) -> Common:
    """`environ` is what the supervisor was started with; env files come over it."""
    return Common(
        claimed=claimed,
        outer=inherited(environ) | dict(plan.env),
        own=instance_variables(plan, claimed, instance_id=instance_id, data_dir=data_dir),
        values=_values(plan, claimed, data_dir),
    )


def launch(plan: Plan, unit: UnitPlan, common: Common) -> Launch:
    """Fill in one unit's command, folder, environment and ready check.

    The outer environment comes over DEFAULTS, over it portsup's own variables, then the service's `env`.
    Raises ConfigError if `${env:NAME}` is not set, or names a port that isn't claimed.
    """
    service = unit.service
    look_up = _look_up(unit.name, _with_own_port(common, unit.name), common.outer)
    own = common.own | {variables.SERVICE: unit.name}
    own |= {pool.env: str(common.claimed[unit.name][pool.name]) for pool in unit.pools}
    set_by_service = {name: interpolate(text, look_up) for name, text in service.env.items()}
    return Launch(
        argv=tuple(interpolate(word, look_up) for word in service.command),
        cwd=service.cwd,
        env=DEFAULTS | common.outer | own | set_by_service,
        set_here=dict(plan.env) | own | set_by_service,
        ready=fill_ready(service.ready, look_up),
    )


def _values(plan: Plan, claimed: Claimed, data_dir: Path) -> dict[str, str]:
    result = {
        "instance": str(plan.instance),
        "base_port": str(plan.base_port),
        "stack": plan.stack,
        "data_dir": str(data_dir),
        PORT_FD: str(LISTEN_FDS_START),
    }
    for service, ports in claimed.items():
        for pool, port in ports.items():
            result |= zip(names_of_pool(service, pool), (str(port), url(port)), strict=True)
    return result


def _with_own_port(common: Common, service: str) -> dict[str, str]:
    """What every `${name}` but `${env:…}` stands for in this service."""
    port = common.claimed.get(service, {}).get(MAIN_POOL)
    if port is None:
        return common.values
    return common.values | dict(zip(names_of_pool(), (str(port), url(port)), strict=True))


def _look_up(service: str, known: Mapping[str, str], outer: Mapping[str, str]) -> Callable[[str], str]:
    def look_up(name: str) -> str:
        if name.startswith(ENV):
            return _variable(service, name.removeprefix(ENV), outer)
        if name not in known:
            raise ConfigError(
                f"cannot start {service}: ${{{name}}} has no port now", hint="start that service first"
            )
        return known[name]

    return look_up


def _variable(service: str, name: str, outer: Mapping[str, str]) -> str:
    if name not in outer:
        raise ConfigError(
            f"cannot start {service}: the environment variable {name} is not set",
            hint=f"set it, or put {name}=… into a file that stack.env_files names",
        )
    return outer[name]


def dependents_on_ports(plan: Plan, name: str, pools: Iterable[str]) -> frozenset[str]:
    """The services whose own command, env or ready names the port or url of one of these pools of `name`."""
    told = {reference for pool in pools for reference in names_of_pool(name, pool)}
    return frozenset(
        unit.name for unit in plan.units if unit.name != name and used_names(unit.service) & told
    )


def used_names(service: Service) -> frozenset[str]:
    """Every name that stands in a `${…}` of the service."""
    return frozenset(name for _, text in templates(service) for name in references(text))
