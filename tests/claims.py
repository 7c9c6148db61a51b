"""What tests of ports/ share: records and plans without a services.toml, claimers, other users."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.model import Service
from supervisor.plan.plan import Plan, UnitPlan
from supervisor.plan.pool import PoolPlan
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.records import InstanceRecord, PortRecord

CLAIMER = Path(__file__).parent / "claimer.py"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def instance_record(*, instance: int = 1, base_port: int = 6000, **fields: Any) -> InstanceRecord:
    """The record of an instance that this process supervises; `fields` differ."""
    me = os_facts.owner(os.getpid())
    assert me is not None
    record = InstanceRecord(
        stack="test",
        config="/work/test/services.toml",
        instance=instance,
        instance_id=f"test-{instance}-{os.getpid()}",
        supervisor=me,
        uid=os.getuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=time.time(),
        base_port=base_port,
        socket="",
        logs="",
    )
    return record._replace(**fields)


def port_record(port: int, *, child: Owner | None = None, **fields: Any) -> PortRecord:
    """The record of a port of such an instance."""
    common = instance_record(**fields)
    return PortRecord(
        port=port,
        pool="port",
        service="api",
        child=child,
        **{
            name: getattr(common, name)
            for name in InstanceRecord._fields
            if name not in ("base_port", "socket", "logs")
        },
    )


def pool(*ports: int, name: str = "port", listen: bool = False) -> PoolPlan:
    return PoolPlan(name, name.upper(), ports, shared=True, listen=listen)


def plan(pools: Mapping[str, Sequence[int]], instance: int = 1, *, listen: bool = False) -> Plan:
    """A stack whose services have one pool each; with `listen`, portsup is to listen on their ports."""
    units = tuple(
        UnitPlan(Service(name, ("true",)), (pool(*ports, listen=listen),)) for name, ports in pools.items()
    )
    return Plan(Path("/work/test/services.toml"), "test", instance, 6000, {}, units)


def dead_owner() -> Owner:
    """A process that was and isn't any more."""
    process = subprocess.Popen(["sleep", "60"])
    owner = os_facts.owner(process.pid)
    process.kill()
    process.wait()
    assert owner is not None
    return owner


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def open_descriptors() -> int:
    """How many this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Claimer:
    """A real process that claims like a supervisor, when told to (see claimer.py)."""

    def __init__(self, folder: Path, instance: int, pools: Mapping[str, Sequence[int]]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CLAIMER), str(folder), str(instance), json.dumps(pools)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # whoever started it ends it: Ctrl-C is no claimer's business
        )

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, command: str) -> Any:
        self.tell(command)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def claimers(folder: Path, stacks: Sequence[Mapping[str, Sequence[int]]]) -> Iterator[list[Claimer]]:
    """One claimer for each of `stacks` (service → ports), ready."""
    started: list[Claimer] = []
    try:
        for number, pools in enumerate(stacks, 1):
            started.append(Claimer(folder, number, pools))
        for claimer in started:
            assert claimer.answer() == "ready"
        yield started
    finally:
        for claimer in started:
            claimer.kill()


@contextlib.contextmanager
def public_folder() -> Iterator[Path]:
    """A lock folder that all users can reach, which pytest's tmp_path isn't."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """This thread of events as `nobody`: the kernel checks the effective uid."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
