"""Fault 21: services.toml is changed, broken or deleted while its instance runs.

The instance goes on as it was started; `status`, `ps`, `logs`, `env`, `start`, `stop`, `restart` and
`down` work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Home, Portsup, assert_nothing_left, health, write_stack


def change(file: Path) -> None:
    """Another stack with other services on other ports."""
    other = {"command": "false", "pool": {"offset": 90, "size": 1}}
    write_stack(file.parent, {"other": other}, base_port=20_000, name="renamed")


def break_(file: Path) -> None:
    file.write_bytes(b"[[[ \xff\x00")


def delete(file: Path) -> None:
    file.unlink()


def make_it_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil", [change, break_, delete, make_it_a_folder])
def test_the_instance_goes_on(
    portsup: Portsup, portsup_home: Home, ports_block: int, spoil: Callable[[Path], None]
) -> None:
    """Everything that one does with a running instance works without its file."""
    ports = {"web": ports_block, "job": ports_block + 10}
    services = {
        "web": {"pool": {"offset": 0, "size": 1}},
        "job": {"pool": {"offset": 10, "size": 1}, "depends_on": ["web"]},
    }
    file = write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    before = without_age(portsup.instance(1))

    spoil(file)
    assert without_age(portsup.instance(1)) == before, "the same processes on the same ports"
    assert {name: told["pid"] for name, told in answers(ports).items()} == pids(before)
    assert_told(portsup, ports)
    assert_services_obey(portsup, ports, pids(before))

    down = portsup.run("down")
    assert down.returncode == 0, down.stderr
    assert_nothing_left(portsup_home, ports.values())
    assert [event for event in portsup_home.events() if event["level"] in ("warning", "error")] == []


def assert_told(portsup: Portsup, ports: dict[str, int]) -> None:
    """By what lists, prints and describes."""
    (row,) = portsup.ask("ps")["instances"]
    assert (row["stack"], row["state"], row["ready"], row["total"]) == ("test", "running", 2, 2)
    assert "RUNNING" in portsup.run("status").stdout
    logs = portsup.run("logs").stdout
    assert all(f"{name} listening on http://127.0.0.1:{port}" in logs for name, port in ports.items()), logs
    variables = portsup.ask("env", "job")
    assert (variables["PORT"], variables["PORTSUP_WEB_PORT"]) == (str(ports["job"]), str(ports["web"]))


def assert_services_obey(portsup: Portsup, ports: dict[str, int], old: dict[str, int]) -> None:
    """`stop`, `start` and `restart` do what they say, with the commands and ports of the start."""
    (stopped,) = portsup.ask("stop", "job")["services"]
    assert (stopped["state"], stopped["port"]) == ("STOPPED", None)
    assert set(answers(ports)) == {"web"}
    (started,) = portsup.ask("start", "job")["services"]
    assert (started["state"], started["port"]) == ("RUNNING", ports["job"])
    (restarted,) = portsup.ask("restart", "web")["services"]
    assert (restarted["state"], restarted["port"]) == ("RUNNING", ports["web"])
    new = {name: told["pid"] for name, told in answers(ports).items()}
    assert new.keys() == old.keys() and not set(new.values()) & set(old.values())


def answers(ports: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What each service says that answers at all."""
    return {name: told for name, port in ports.items() if (told := health(port)) is not None}


def pids(instance: dict[str, Any]) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in instance["services"]}


def without_age(instance: dict[str, Any]) -> dict[str, Any]:
    return {**instance, "services": [{**service, "uptime_s": None} for service in instance["services"]]}
