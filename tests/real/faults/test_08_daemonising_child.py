"""Fault 8: child daemonises itself and its first process exits 0.

Still RUNNING, port still locked, `down` ends it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Escapee, Home, Portsup, assert_nothing_left, wait_until, write_stack

SHEDS = [(), ("--close",), ("--empty-env",), ("--empty-env", "--close")]
"""What the daemon drops besides its session: descriptors, environment, or both."""


@pytest.mark.parametrize("flags", SHEDS, ids=lambda flags: "+".join(flags) or "nothing")
def test_it_goes_on(
    portsup: Portsup,
    portsup_home: Home,
    ports_block: int,
    escapee: Escapee,
    tmp_path_factory: pytest.TempPathFactory,
    flags: tuple[str, ...],
) -> None:
    """RUNNING without a restart, on a port that nobody else gets; `down` asks it to end."""
    port = ports_block + 900
    service = escapee.service(
        "--leader-exits", "--session", "--listen", "${port}", *flags, pool={"ports": [port]}
    )
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    wait_until(lambda: "the rest goes on" in running.stderr, 10)
    (web,) = portsup.instance(1)["services"]
    assert (web["state"], web["restarts"], web["port"], web["shield"]) == ("RUNNING", 0, port, "up")
    assert [process.pid for process in escapee.alive()] == [escapee.pid("worker")]
    assert_taken(portsup, ports_block, port, tmp_path_factory.mktemp("other"))
    assert portsup.run("down").returncode == 0
    assert escapee.alive() == []
    assert escapee.was_asked("worker"), "it gets the stop signal in the session that it made"
    assert running.wait() == 0
    assert_nothing_left(portsup_home, [port])


def assert_taken(portsup: Portsup, base_port: int, port: int, folder: Path) -> None:
    write_stack(folder, {"web": {"pool": {"ports": [port]}}}, base_port=base_port)
    refused = portsup.run("up", "-i", "2", cwd=folder)
    assert refused.returncode == 69
    assert f"  {port}  test instance 1 (web) in {portsup.cwd}, pid " in refused.stderr
