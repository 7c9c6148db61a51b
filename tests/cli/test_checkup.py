"""What `portsup doctor` makes of facts: the decisions, without a machine."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from supervisor import paths
from supervisor.cli.checkup import folders, limits, machine, stack
from supervisor.cli.checkup.finding import Verdict
from supervisor.config.model import Config, Pool, RelativePool, Service, SharedPool
from supervisor.errors import ConfigError
from supervisor.platform.contract import Allowance, KernelFacts

OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL

GOOD = KernelFacts(
    pidfd=True,
    subreaper=True,
    sock_diag=True,
    lists_children=True,
    lowest_port=1024,
    reserved_ports=(),
    hides_processes=False,
    allowances=(),
)


def config(*pools: Pool, base: int = 6000, services: int = 1, stride: int = 100) -> Config:
    """A stack whose first service has `pools`, and the others none."""
    named = [Service(f"s{number}", ("true",)) for number in range(services)]
    named[0] = named[0]._replace(pools=pools)
    where = Path("/work/services.toml")
    return Config(where, "test", base, stride, {}, tuple(named), range(32_768, 61_000))


def relative(offset: int = 0, size: int = 3) -> Pool:
    return RelativePool("port", "PORT", offset, size)


def shared(*ports: int) -> Pool:
    return SharedPool("port", "PORT", ports)


@pytest.mark.parametrize(
    ("facts", "verdict", "named"),
    [
        (GOOD, OK, ""),
        (GOOD._replace(pidfd=False), FAIL, "pidfds"),
        (GOOD._replace(subreaper=False), FAIL, "subreapers"),
        (GOOD._replace(pidfd=False, subreaper=False, sock_diag=False), FAIL, "subreapers"),
        (GOOD._replace(sock_diag=False), WARN, "sock_diag"),
        (GOOD._replace(lists_children=False), WARN, "CONFIG_PROC_CHILDREN"),
        (None, WARN, "no Linux"),
    ],
)
def test_the_kernel(facts: KernelFacts | None, verdict: Verdict, named: str) -> None:
    """Without some of it nothing works, without the rest it takes longer."""
    found = machine.kernel(facts)
    assert found.verdict is verdict and named in found.message


def test_hidden_processes() -> None:
    """A drawback, with the way to mend it."""
    assert machine.processes(GOOD).verdict is OK
    found = machine.processes(GOOD._replace(hides_processes=True))
    assert found.verdict is WARN and found.command is not None and "hidepid=0" in found.command


@pytest.mark.parametrize(("now", "verdict"), [(1_000_000.0, OK), (999_999.0, WARN), (0.0, WARN)])
def test_the_clock(now: float, verdict: Verdict) -> None:
    """It can't be earlier than what has happened already."""
    assert machine.clock(now, since=1_000_000.0).verdict is verdict


@pytest.mark.parametrize(
    ("limit", "services", "verdict", "command"),
    [
        (1024, None, OK, None),
        (resource.RLIM_INFINITY, 5000, OK, None),
        (64, None, WARN, "ulimit -n 1024"),
        (143, None, WARN, "ulimit -n 1024"),
        (144, None, OK, None),
        (64, 1, FAIL, "ulimit -n 1024"),
        (68, 1, OK, None),
        (256, 100, FAIL, "ulimit -n 1024"),
        (1024, 400, FAIL, "ulimit -n 2048"),
    ],
)
def test_open_files(limit: int, services: int | None, verdict: Verdict, command: str | None) -> None:
    """Against what the stack takes, if there is one, else against what a stack usually takes."""
    found = limits.open_files(config(relative(), services=services) if services else None, limit)
    assert (found.verdict, found.command) == (verdict, command)


@pytest.mark.parametrize(
    ("allowances", "services", "verdict"),
    [
        ((), 100, OK),
        ((Allowance("this user (RLIMIT_NPROC)", 10, 1000),), 5, OK),
        ((Allowance("this user (RLIMIT_NPROC)", 980, 1000),), 5, WARN),
        ((Allowance("this user (RLIMIT_NPROC)", 994, 1000),), 5, FAIL),
        ((Allowance("this user (RLIMIT_NPROC)", 10, 1000), Allowance("the cgroup /x", 3, 4)), 1, FAIL),
        ((Allowance("this user (RLIMIT_NPROC)", 998, 1000),), None, FAIL),
    ],
)
def test_processes(allowances: tuple[Allowance, ...], services: int | None, verdict: Verdict) -> None:
    """The tightest of several limits counts."""
    stack_of = config(services=services) if services else None
    found = limits.processes(GOOD._replace(allowances=allowances), stack_of)
    assert found.verdict is verdict
    assert (found.command is None) is (verdict is OK)


def test_each_limit_of_processes_is_raised_in_its_own_way() -> None:
    """A user's by ulimit, a cgroup's in its file."""
    for of, way in (("this user (RLIMIT_NPROC)", "ulimit -u"), ("the cgroup /x/y", "/x/y/pids.max")):
        found = limits.processes(GOOD._replace(allowances=(Allowance(of, 9, 9),)), None)
        assert found.command is not None and way in found.command


@pytest.mark.parametrize(
    ("here", "verdict", "said"),
    [
        (config(relative()), OK, "instances 1 to 268"),
        (config(relative(offset=60, size=40)), OK, "instances 1 to 267"),
        (config(relative(), base=32_700), OK, "instance 1 "),
        (config(relative(), base=32_766), WARN, "port 32768 "),
        (config(shared(9000, 9001)), OK, "instances 1 to 595"),
        (config(shared(9000, 40_000, 40_001)), WARN, "port 40000-40001 "),
        (config(relative(), base=62_000)._replace(ephemeral=range(0)), OK, "none"),
        (config(), OK, "instances 1 to "),
    ],
)
def test_outgoing_connections(here: Config, verdict: Verdict, said: str) -> None:
    """Whether the kernel may give away a port of the first instance, or of which one."""
    found = stack.outgoing(here)
    assert found.verdict is verdict and said in found.message


def test_reserved_ports_are_safe() -> None:
    """What is reserved isn't given away, and stays reserved when more is."""
    here = config(shared(40_000, 40_001))
    assert stack.outgoing(here, (range(40_000, 40_002),)).verdict is OK
    found = stack.outgoing(here, (range(40_000, 40_001), range(50_000, 50_003)))
    assert found.command is not None
    assert found.command.endswith("ip_local_reserved_ports=40000-40001,50000-50002")


@pytest.mark.parametrize(
    ("lowest", "verdict", "command"),
    [(1, OK, None), (80, OK, None), (81, FAIL, "ip_unprivileged_port_start=80"), (1024, FAIL, "=80")],
)
def test_low_ports(lowest: int, verdict: Verdict, command: str | None) -> None:
    """Whether this user may listen on them."""
    found = stack.privileged(config(shared(443, 80, 8080)), GOOD._replace(lowest_port=lowest))
    assert found.verdict is verdict
    assert command is None or (found.command is not None and found.command.endswith(command))


def test_services() -> None:
    """A file that is wrong fails, none at all doesn't."""
    assert stack.services(None).verdict is OK
    assert stack.services(config()).verdict is OK
    found = stack.services(ConfigError("services.toml has an error"))
    assert (found.verdict, found.command) == (FAIL, "portsup check")


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("d {} 1777 root root -", OK),
        ("D! {}/ 01777 root root 10d", OK),
        ("q {} ~1777 - - -", OK),
        ("d {} 0755 root root -", WARN),
        ("d {}", WARN),
        ("# d {} 0755", OK),
        ("d {}-other 0755 root root -", OK),
        ("x {}", OK),
    ],
)
def test_lines_of_tmpfiles(tmp_path: Path, line: str, verdict: Verdict) -> None:
    """Those that make the lock folder must make it for all."""
    locks = tmp_path / "locks"
    (tmp_path / "portsup.conf").write_text(f"\n{line.format(locks)}\n")
    assert folders.tmpfiles(locks, [tmp_path / "none", tmp_path]).verdict is verdict


def test_a_machine_without_tmpfiles(tmp_path: Path) -> None:
    """Has nothing to configure."""
    assert folders.tmpfiles(paths.LOCK_FOLDER, [tmp_path / "none"]).verdict is OK
