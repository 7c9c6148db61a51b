"""Two plans of one instance: what a reload has to do, and for which key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor.config import keys
from supervisor.config.model import (
    Backoff,
    Config,
    LogLimits,
    OnLost,
    Ready,
    ReadyKind,
    RelativePool,
    Restart,
    Service,
    ShieldMode,
    Stop,
)
from supervisor.errors import PortsupError
from supervisor.plan.difference import ASPECTS, Change, ServiceDifference, Verb, compare
from supervisor.plan.plan import Plan, make_plan

POOL = RelativePool("port", "PORT", 0, 3)
METRICS = RelativePool("metrics", "METRICS_PORT", 10, 2)
WEB = Service("web", ("serve", "--now"), pools=(POOL, METRICS), env={"LEVEL": "info"})
HELD = {"web": {"port": 6001, "metrics": 6010}}

HTTP = Ready(ReadyKind.HTTP, path="/health")

CHANGES: Mapping[str, tuple[Service, Verb, str, str | None, str | None]] = {
    "command": (WEB._replace(command=("serve",)), Verb.RESTART, "command", "serve --now", "serve"),
    "shell": (WEB._replace(shell=True), Verb.RESTART, "shell", "false", "true"),
    "cwd": (WEB._replace(cwd=Path("/x")), Verb.RESTART, "cwd", ".", "/x"),
    "env": (WEB._replace(env={"LEVEL": "debug"}), Verb.RESTART, "env.LEVEL", "info", "debug"),
    "pool": (
        WEB._replace(pools=(RelativePool("port", "PORT", 1, 3), METRICS)),
        Verb.KEEP,
        "pool",
        "6000-6002",
        "6001-6003",
    ),
    "port_env": (
        WEB._replace(pools=(RelativePool("port", "WEB_PORT", 0, 3), METRICS)),
        Verb.RESTART,
        "port_env",
        "PORT",
        "WEB_PORT",
    ),
    "pools": (
        WEB._replace(pools=(POOL, RelativePool("metrics", "M", 10, 2))),
        Verb.RESTART,
        "pools.metrics.env",
        "METRICS_PORT",
        "M",
    ),
    "depends_on": (WEB._replace(depends_on=("db",)), Verb.KEEP, "depends_on", "none", "db"),
    "ready": (WEB._replace(ready=Ready(ReadyKind.TCP)), Verb.RESTART, "ready.tcp", None, "true"),
    "restart": (WEB._replace(restart=Restart.NO), Verb.KEEP, "restart", "on-failure", "no"),
    "backoff": (WEB._replace(backoff=Backoff(max=60)), Verb.KEEP, "backoff.max", "30", "60"),
    "stop": (WEB._replace(stop=Stop(signal=2)), Verb.KEEP, "stop.signal", "TERM", "INT"),
    "shield": (WEB._replace(shield=ShieldMode.LOCK), Verb.KEEP, "shield", "tree", "lock"),
    "on_lost": (WEB._replace(on_lost=OnLost.ROTATE), Verb.KEEP, "on_lost", "stop", "rotate"),
    "socket": (WEB._replace(socket=True), Verb.RESTART, "socket", "false", "true"),
    "log": (WEB._replace(log=LogLimits(files=5)), Verb.KEEP, "log.files", "3", "5"),
    "tty": (WEB._replace(tty=True), Verb.RESTART, "tty", "false", "true"),
    "watch": (WEB._replace(watch=("*.py", "*.js")), Verb.KEEP, "watch", "none", "*.py, *.js"),
}
"""Key → a service in which it differs from WEB, and what is to be said of it."""


def plan(*services: Service, instance: int = 1, **stack: Any) -> Plan:
    config = Config(Path("/w/services.toml"), "test", 6000, 100, {}, (*services, Service("db", ("x",))))
    return make_plan(config._replace(**stack), instance)


def differences(
    old: Plan, new: Plan, held: Mapping[str, Mapping[str, int]] = HELD
) -> dict[str, ServiceDifference]:
    return {one.service: one for one in compare(old, new, held)}


def test_every_key_is_decided() -> None:
    """A new key of services.toml can't be forgotten, neither here nor in the table of effects."""
    assert ASPECTS.keys() == keys.SERVICE.keys() == CHANGES.keys()


@pytest.mark.parametrize("key", CHANGES)
def test_each_key(key: str) -> None:
    """What its change brings about, and the words for it."""
    service, verb, name, old, new = CHANGES[key]
    (found,) = compare(plan(WEB), plan(service), HELD)
    assert (found.service, found.verb) == ("web", verb)
    assert Change(name, old, new) in found.changes
    assert all(change.key.partition(".")[0] == key for change in found.changes)
    assert compare(plan(service), plan(service), HELD) == ()


def test_a_size_is_shown_as_people_write_it() -> None:
    """Not as a number of bytes."""
    (found,) = compare(plan(WEB), plan(WEB._replace(log=LogLimits(max_size=64 << 10))), HELD)
    assert found.changes == (Change("log.max_size", "10MB", "64KiB"),)


def test_a_longer_timeout_of_a_check() -> None:
    """It is no other check: whoever is ready stays so."""
    (found,) = compare(
        plan(WEB._replace(ready=HTTP)), plan(WEB._replace(ready=HTTP._replace(timeout=60))), HELD
    )
    assert found == ServiceDifference("web", Verb.KEEP, (Change("ready.timeout", "30", "60"),))


def test_moves() -> None:
    """Who can't keep a port restarts, and so do those who are told it, by whatever it is named."""
    users = [
        Service("by-port", ("x", "${web.port}")),
        Service("by-metrics", ("x", "${web.metrics.url}")),
        Service("beyond", ("x", "${by-port.port}"), pools=(RelativePool("port", "PORT", 50, 1),)),
    ]
    held = {**HELD, "by-port": {}, "beyond": {"port": 6050}}
    moved = WEB._replace(pools=(RelativePool("port", "PORT", 20, 1), METRICS))
    found = differences(plan(WEB, *users), plan(moved, *users), held)
    assert {name: (one.verb, one.moves, one.told) for name, one in found.items()} == {
        "web": (Verb.RESTART, ("port",), ()),
        "by-port": (Verb.RESTART, (), ("web",)),
    }
    fewer = WEB._replace(pools=(POOL,))
    assert differences(plan(WEB), plan(fewer))["web"].moves == ("metrics",)
    assert differences(plan(fewer), plan(WEB), {"web": {"port": 6000}})["web"].moves == ("metrics",)
    assert differences(plan(WEB), plan(moved), {})["web"].verb is Verb.KEEP, "it is stopped and holds none"


def test_new_and_gone() -> None:
    """New ones come in the order of the start, those that are no more in that of a stop."""
    user = Service("user", ("x",), depends_on=("web",))
    assert [(one.service, one.verb) for one in compare(plan(), plan(user, WEB), {})] == [
        ("web", Verb.START),
        ("user", Verb.START),
    ]
    assert [(one.service, one.verb) for one in compare(plan(user, WEB), plan(), {})] == [
        ("user", Verb.STOP),
        ("web", Verb.STOP),
    ]


def test_env_files() -> None:
    """A variable restarts those whom it reaches: not who has its own, unless that is made of it."""
    services = [
        Service("own", ("x",), env={"A": "1"}),
        Service("made", ("x",), env={"A": "${env:A}!"}),
        Service("plain", ("x",)),
    ]
    found = differences(plan(*services, env={"A": "1"}), plan(*services, env={"A": "2"}))
    assert found.keys() == {"made", "plain", "db"}
    assert found["plain"].changes == (Change("env_files.A", "1", "2"),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (WEB._replace(env={"API_TOKEN": "secret-1"}), WEB._replace(env={"API_TOKEN": "secret-2"})),
        (WEB, WEB._replace(command=("serve", "--password", "secret-2"))),
        (WEB, WEB._replace(command=("serve --token=secret-2",), shell=True)),
        (WEB, WEB._replace(env={"DB": "postgres://u:secret-2@h/d"})),
        (WEB, WEB._replace(ready=Ready(ReadyKind.EXEC, command=("curl", "--token", "secret-2")))),
        (WEB, WEB._replace(ready=HTTP._replace(path="/?token=secret-2"))),
    ],
)
def test_secrets_are_masked(old: Service, new: Service) -> None:
    """The difference is seen, the secret isn't."""
    (found,) = compare(plan(old), plan(new), HELD)
    assert found.verb is Verb.RESTART
    assert "secret-" not in str(found)
    (found,) = compare(plan(env={"A_KEY": "secret-1"}), plan(env={"A_KEY": "secret-2"}), {})
    assert "secret-" not in str(found)


@pytest.mark.parametrize(
    ("instance", "stack", "named"),
    [
        (1, {"stack": "other"}, ["stack.name: test → other"]),
        (1, {"base_port": 7000}, ["stack.base_port: 6000 → 7000"]),
        (3, {"base_port": 7000}, ["stack.base_port: 6000 → 7000"]),
        (3, {"stride": 50}, ["stack.stride: 100 → 50"]),
        (3, {"stride": 50, "stack": "x"}, ["stack.name: test → x", "stack.stride: 100 → 50"]),
    ],
)
def test_what_needs_another_instance(instance: int, stack: dict[str, Any], named: list[str]) -> None:
    """Named by key, as the file has it."""
    with pytest.raises(PortsupError) as refused:
        compare(plan(instance=instance), plan(instance=instance, **stack), {})
    assert list(refused.value.details) == named
    assert refused.value.hint == f"`portsup down -i {instance}`, then `portsup up -i {instance}`"
