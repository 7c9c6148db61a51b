"""`check`, `why` and `prune` as they are typed, on real files and sockets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Home, Portsup, foreigner, write_stack

from supervisor import records
from supervisor.platform import Owner, os_facts
from supervisor.records import PortRecord


@pytest.fixture
def stack(tmp_path: Path, ports_block: int) -> Path:
    services: dict[str, dict[str, Any]] = {
        "api": {"pool": {"ports": [ports_block + 900, ports_block + 902]}, "depends_on": ["mcp"]},
        "mcp": {"pool": {"offset": 0, "size": 3}, "env": {"API_TOKEN": "hush", "LEVEL": "info"}},
    }
    return write_stack(tmp_path, services, base_port=ports_block)


def test_check_shows_the_plan(stack: Path, ports_block: int, portsup: Portsup) -> None:
    """In starting order, for any instance."""
    done = portsup.run("check", "-i", "3")
    assert done.returncode == 0
    first, head, mcp, api = done.stdout.splitlines()
    assert first == f"test instance 3, base port {ports_block + 200}, {stack.resolve()}"
    assert head.split()[:3] == ["service", "ports", "variable"]
    assert mcp.split()[:4] == ["mcp", f"{ports_block + 200}-{ports_block + 202}", "PORT", "-"]
    assert api.startswith(f"api      {ports_block + 900}, {ports_block + 902}")


def test_check_json_masks_secrets(stack: Path, portsup: Portsup) -> None:
    """The rest is the plan."""
    checked = portsup.ask("check")
    mcp, api = checked["services"]
    assert mcp["env"] == {"API_TOKEN": "***", "LEVEL": "info"}
    assert api["depends_on"] == ["mcp"] and api["pools"]["port"]["shared"]
    assert (checked["stack"], checked["instance"]) == ("test", 1)


def test_check_tells_who_has_its_ports(stack: Path, ports_block: int, portsup: Portsup) -> None:
    """Below the table; an instance that would go around them is no error."""
    with foreigner(ports_block + 1) as process:
        done = portsup.run("check")
        told = portsup.ask("check")["taken"]
    heading, line = done.stdout.splitlines()[-2:]
    assert done.returncode == 0 and heading == "taken now:"
    assert line.startswith(f"  {ports_block + 1}  ") and f"pid {process.pid}" in line
    assert [(one["port"], one["holding"]) for one in told] == [(ports_block + 1, "foreign")]


def test_check_tells_a_stale_lock(
    stack: Path, ports_block: int, portsup: Portsup, portsup_home: Home
) -> None:
    """A record without a listener counts too."""
    _stale_lock(portsup_home, ports_block)
    (told,) = portsup.ask("check")["taken"]
    assert (told["port"], told["holding"]) == (ports_block, "stale")


COMMANDS = {
    "found": {"command": "sh -c true"},
    "path": {"command": "bin/tool"},
    "own-path": {"command": "tool", "env": {"PATH": "bin:${env:PATH}"}},
    "shell": {"command": "nosuchtool", "shell": True},
    "lost": {"command": "nosuchtool --flag"},
    "lost-path": {"command": "./nosuchtool"},
    "not-executable": {"command": "bin/text"},
    "variable": {"command": ["sh", "${env:NO_SUCH_VARIABLE}"]},
}


def test_check_warns_of_what_could_not_start(tmp_path: Path, portsup: Portsup, ports_block: int) -> None:
    """Looked for where the spawn would look: on the service's PATH, relative to its folder."""
    (tmp_path / "bin").mkdir()
    for name, mode in (("tool", 0o755), ("text", 0o644)):
        (tmp_path / "bin" / name).touch()
        (tmp_path / "bin" / name).chmod(mode)
    write_stack(tmp_path, COMMANDS, base_port=ports_block)
    done = portsup.run("check")
    assert done.returncode == 0
    folder = tmp_path.resolve()
    lost, lost_path, text, variable = done.stderr.splitlines()
    assert lost == "warning: cannot start lost: there is no program 'nosuchtool' on its PATH"
    assert lost_path == f"warning: cannot start lost-path: there is no program './nosuchtool' in {folder}"
    assert text == f"warning: cannot start not-executable: there is no program 'bin/text' in {folder}"
    assert variable.startswith("warning: cannot start variable: ") and "NO_SUCH_VARIABLE" in variable


def test_check_of_a_wrong_file(tmp_path: Path, portsup: Portsup) -> None:
    """Exit 78; the error names line and key."""
    path = tmp_path / "services.toml"
    path.write_text('[services.api]\ncommand = "true"\nrestrat = "no"\n')
    done = portsup.run("check")
    assert done.returncode == 78 and done.stdout == ""
    assert f"{path.resolve()}:3: services.api.restrat" in done.stderr


def test_check_warns_on_stderr(tmp_path: Path, portsup: Portsup) -> None:
    """Data and warnings don't mix."""
    write_stack(tmp_path, {"api": {"pool": {"offset": 0, "size": 1}}}, base_port=6000)
    done = portsup.run("check", "--json")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: ") and "6000" in done.stderr


def test_why_a_free_port(stack: Path, ports_block: int, portsup: Portsup) -> None:
    """And whose pool it is in."""
    done = portsup.run("why", str(ports_block + 101))
    assert done.stdout.splitlines() == [
        f"{ports_block + 101}  free",
        "in the pool 'port' of mcp of instance 2 of test",
    ]


def test_why_a_foreign_port(stack: Path, ports_block: int, portsup: Portsup) -> None:
    """Who listens is named."""
    with foreigner(ports_block) as process:
        done = portsup.run("why", str(ports_block))
        told = portsup.ask("why", str(ports_block))
    assert f"pid {process.pid}" in done.stdout and "hint: " in done.stdout
    assert told["holding"] == "foreign"
    assert told["pools"] == [{"stack": "test", "service": "mcp", "pool": "port", "instance": 1}]


@pytest.mark.parametrize("content", [None, "broken ["])
def test_why_needs_no_file(content: str | None, ports_block: int, portsup: Portsup, tmp_path: Path) -> None:
    """Unless one was named."""
    if content is not None:
        (tmp_path / "services.toml").write_text(content)
    assert portsup.run("why", str(ports_block)).stdout == f"{ports_block}  free\n"
    assert portsup.run("why", str(ports_block), "-f", str(tmp_path)).returncode == 78


def test_prune_of_nothing(portsup: Portsup) -> None:
    """Says so, and is fine."""
    done = portsup.run("prune")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing to prune\n")
    assert portsup.ask("prune") == {"schema": 1, "dry_run": False, "leftovers": []}


def test_prune_removes_a_stale_lock(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A dry run only tells."""
    path = _stale_lock(portsup_home, ports_block)
    dry = portsup.run("prune", "--dry-run")
    assert dry.returncode == 0 and path.name in dry.stdout and path.exists()
    assert portsup.ask("prune", "--dry-run")["leftovers"][0]["gone"] is False
    done = portsup.run("prune")
    assert done.returncode == 0 and path.name in done.stdout and not path.exists()


def _stale_lock(home: Home, port: int) -> Path:
    """The lock file of a supervisor whose pid another process has by now: this one."""
    me = os_facts.owner(os.getpid())
    assert me is not None
    home.locks.mkdir(mode=0o1777)
    home.locks.chmod(0o1777)
    record = PortRecord(
        stack="test",
        config="/nowhere/services.toml",
        instance=1,
        instance_id="test-1-dead",
        supervisor=Owner(me.pid, me.started - 1),
        uid=os.getuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=time.time(),
        port=port,
        pool="port",
        service="api",
        child=None,
    )
    path = records.port_file(home.locks, port)
    path.write_bytes(records.encode(record))
    return path
