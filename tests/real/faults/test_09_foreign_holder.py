"""Fault 9: a foreign process holds the first port of a pool.

The second is taken; the foreign process is untouched.
"""

from __future__ import annotations

import pytest
from harness import Portsup, foreigner, health, write_stack


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_it_is_gone_around(portsup: Portsup, ports_block: int, host: str) -> None:
    """On whichever address it listens; who it is and which port is used instead is said."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 3}}}, base_port=ports_block)
    with foreigner(ports_block, host) as other:
        started = portsup.run("up", "-i", "1", "--wait")
        assert started.returncode == 0
        named = f"{ports_block}  not portsup's: pid {other.pid} ("
        assert f"web: {named}" in started.stderr
        assert f"; using {ports_block + 1}\n" in started.stderr
        (web,) = portsup.instance(1)["services"]
        assert (web["port"], web["shield"]) == (ports_block + 1, "up")
        answer = health(ports_block + 1)
        assert answer is not None
        assert answer["pid"] == web["pid"]
        assert named in portsup.run("why", str(ports_block)).stdout
        assert portsup.run("down").returncode == 0
        assert other.poll() is None


def test_said_in_the_foreground_too(portsup: Portsup, ports_block: int) -> None:
    """`up` on a terminal tells it before the first child starts."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block)
    with foreigner(ports_block) as other:
        running = portsup.up("-i", "1")
        portsup.wait_for_services(1)
        lines = running.stderr.splitlines()
        said = next(place for place, line in enumerate(lines) if f"pid {other.pid} (" in line)
        assert f"{ports_block}  not portsup's: pid {other.pid}" in lines[said]
        assert lines[said].endswith(f"; using {ports_block + 1}")
        assert said < next(place for place, line in enumerate(lines) if "started on port" in line)
