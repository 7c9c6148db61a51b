"""What is here: services.toml, and its ports against the kernel's."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from supervisor.cli.checkup.finding import Finding, as_root, fail, ok, warn
from supervisor.config.model import Config, SharedPool
from supervisor.config.spans import spans
from supervisor.errors import ConfigError
from supervisor.plan.instance import base_port, highest_instance
from supervisor.plan.pool import pool_plan
from supervisor.platform.contract import KernelFacts

STACK = "services.toml"
EPHEMERAL = "outgoing connections"
PRIVILEGED = "low ports"


def services(config: Config | ConfigError | None) -> Finding:
    if config is None:
        return ok(STACK, "none here: nothing is said about its ports")
    if isinstance(config, ConfigError):
        return fail(STACK, config.message, config.hint or "see what is wrong with it", "portsup check")
    return ok(STACK, f"{config.path}: {config.stack}, {len(config.services)} services")


def ports_of(config: Config, instance: int) -> set[int]:
    base = base_port(config.base_port, config.stride, instance)
    return {
        port for service in config.services for pool in service.pools for port in pool_plan(pool, base).ports
    }


def outgoing(config: Config, reserved: Iterable[range] = ()) -> Finding:
    """Ports that the kernel may give to an outgoing connection just when a service needs them."""
    taken = set(config.ephemeral) - {port for span in reserved for port in span}
    if not taken:
        return ok(EPHEMERAL, "the kernel keeps none of these ports for them")
    span = f"{config.ephemeral.start}-{config.ephemeral.stop - 1}"
    if met := ports_of(config, 1) & taken:
        return warn(
            EPHEMERAL,
            f"port {spans(met)} lies in the kernel's own range, {span}: any program may hold it for a while",
            f"use ports below {config.ephemeral.start}, or reserve these",
            as_root(f"sysctl -w net.ipv4.ip_local_reserved_ports={_reserve(met, reserved)}"),
        )
    last = _last_outside(config, taken)
    return ok(EPHEMERAL, f"{_instances(last)} clear of the kernel's own range, {span}")


def _reserve(ports: Collection[int], reserved: Iterable[range]) -> str:
    """What is reserved already stays so."""
    return spans({*ports, *(port for span in reserved for port in span)}).replace(" ", "")


def _last_outside(config: Config, taken: Collection[int]) -> int:
    """The last instance before the first that has a port among `taken`."""
    highest = highest_instance(config.base_port, config.stride)
    if all(isinstance(pool, SharedPool) for service in config.services for pool in service.pools):
        return highest
    numbers = range(2, highest + 1)
    return next((number - 1 for number in numbers if not ports_of(config, number).isdisjoint(taken)), highest)


def _instances(last: int) -> str:
    return f"the ports of instances 1 to {last} are" if last > 1 else "the ports of instance 1 are"


def privileged(config: Config, facts: KernelFacts) -> Finding:
    low = [port for port in ports_of(config, 1) if port < facts.lowest_port]
    if not low:
        return ok(PRIVILEGED, f"this user may listen on ports from {facts.lowest_port}")
    return fail(
        PRIVILEGED,
        f"port {spans(low)}: this user may listen on ports from {facts.lowest_port} only",
        "use higher ports, or allow these",
        as_root(f"sysctl -w net.ipv4.ip_unprivileged_port_start={min(low)}"),
    )
