"""The harness that tests with real processes stand on."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
from harness import (
    BLOCK,
    MARKER,
    Home,
    Portsup,
    foreigner,
    health,
    is_bindable,
    port_block,
    private_home,
    write_stack,
)

SLEEPER = [sys.executable, "-I", "-S", "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


def start_sleeper(home: Home, **environ: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        SLEEPER,
        env={**home.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_blocks_are_apart() -> None:
    """No two open blocks overlap."""
    with ExitStack() as stack:
        bases = [stack.enter_context(port_block()) for _ in range(3)]
    assert len({base // BLOCK for base in bases}) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_a_listener_on_any_address_counts(ports_block: int, host: str) -> None:
    """A port is not bindable while somebody listens on it, on whatever address."""
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    assert is_bindable(ports_block)
    with foreigner(ports_block, host):
        assert not is_bindable(ports_block)
    assert is_bindable(ports_block)


def test_a_home_tells_its_leaks() -> None:
    """A marked process that is still there at the end is killed and fails the test."""
    with pytest.raises(AssertionError, match=r"left running:\n.*x-1/web"), private_home() as home:
        leak = start_sleeper(home, **{MARKER: "x-1/web"})
        assert [process.pid for process in home.children()] == [leak.pid]
    with leak:
        assert leak.wait(5) == -9
    assert not home.folder.exists()


def test_a_home_stops_what_is_not_marked() -> None:
    """A supervisor that a test left running is stopped orderly, and that is no leak."""
    with private_home() as home:
        process = start_sleeper(home)
        assert home.children() == []
    with process:
        assert process.wait(5) == -15


def test_a_stack_in_the_background(portsup: Portsup, ports_block: int) -> None:
    """`up` runs beside the test, its services can be waited for and asked, and Ctrl-C ends it."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 5, "size": 2}}}, base_port=ports_block, stride=1000)
    up = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    (service,) = instance["services"]
    assert service["port"] == ports_block + 5
    assert (health(ports_block + 5) or {})["pid"] == service["pid"]
    assert [child.pid for child in portsup.home.children()] == [service["pid"]]
    assert portsup.home.lock_files()
    up.interrupt()
    assert up.wait() == 130
    assert not portsup.home.lock_files() and not portsup.home.children()
