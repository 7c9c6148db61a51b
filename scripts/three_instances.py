"""Three instances of the sample stack at once, and what must hold for them, by the real command.

Prints a line for each fact that it has shown, and how many failed. It has lock, state and runtime
folders of its own, and it takes everything down at the end.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import (  # noqa: E402 - lies beside the tests
    Background,
    Portsup,
    foreigner,
    health,
    is_bindable,
    port_block,
    private_home,
    wait_until,
)

from supervisor.config.model import Backoff  # noqa: E402
from supervisor.platform import os_facts  # noqa: E402

NUMBERS = (1, 2, 3)

ASK = """
import json, os, urllib.request
for name, url in sorted(os.environ.items()):
    if name.startswith("PORTSUP_") and name.endswith("_URL"):
        with urllib.request.urlopen(url + "/api/health", timeout=10) as answer:
            said = json.load(answer)
        assert str(said["instance"]) == os.environ["PORTSUP_INSTANCE"], said
        print(said["service"], said["status"])
"""
"""A command for `portsup run`: every service of its instance answers as itself."""

RESTART_WITHIN = 0.2
"""Seconds beyond the backoff in which a killed child must be started again."""


@dataclass(frozen=True)
class Sample:
    """The stack at hand: services.toml as it is, or a copy of it on other ports."""

    file: Path
    base: int
    stride: int
    offsets: dict[str, range]
    shared: dict[str, list[int]]

    @staticmethod
    def read(file: Path) -> Sample:
        document = tomllib.loads(file.read_text())
        pools = {name: service["pool"] for name, service in document["services"].items()}
        return Sample(
            file,
            document["stack"]["base_port"],
            document["stack"]["stride"],
            {
                name: range(pool["offset"], pool["offset"] + pool["size"])
                for name, pool in pools.items()
                if "offset" in pool
            },
            {name: pool["ports"] for name, pool in pools.items() if "ports" in pool},
        )

    def pool(self, service: str, instance: int) -> list[int]:
        if service in self.shared:
            return self.shared[service]
        base = self.base + (instance - 1) * self.stride
        return [base + offset for offset in self.offsets[service]]

    @property
    def services(self) -> list[str]:
        return [*self.offsets, *self.shared]

    @property
    def ports(self) -> list[int]:
        return sorted(
            {port for name in self.services for number in NUMBERS for port in self.pool(name, number)}
        )


@contextmanager
def sample() -> Iterator[Sample]:
    """services.toml; or, where somebody on this machine has one of its ports, a copy on free ones."""
    original = Sample.read(ROOT / "services.toml")
    taken = [port for port in original.ports if not is_bindable(port)]
    if not taken:
        yield original
        return
    with port_block() as base, TemporaryDirectory(prefix="p") as name:
        folder = Path(name)
        print(f"port {taken[0]} is in use on this machine: showing the same on {base} and above")
        (folder / "scripts").symlink_to(ROOT / "scripts")
        copy = folder / "services.toml"
        copy.write_text(moved(original.file.read_text(), original, base))
        yield Sample.read(copy)


def moved(text: str, original: Sample, base: int) -> str:
    """services.toml's text with its base port at `base` and its shared ports right above."""
    text = re.sub(rf"(?m)^base_port = {original.base}\b", f"base_port = {base}", text)
    for ports in original.shared.values():
        ours = [base + 900 + place for place in range(len(ports))]
        text = text.replace(f"ports = {ports}", f"ports = {ours}")
    return text


class Report:
    """One printed line for each fact."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def fact(self, holds: object, text: str) -> None:
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'} {text}", flush=True)

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """What breaks off here is a failed fact, and the next chapter goes on."""
        print(title, flush=True)
        try:
            yield
        except Exception as error:
            self.fact(False, f"broke off: {type(error).__name__}: {error}")


class Show:
    def __init__(self, stack: Sample, portsup: Portsup, report: Report) -> None:
        self.stack = stack
        self.portsup = portsup
        self.home = portsup.home
        self.fact = report.fact

    # The command

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what it said on stderr."""
        done = self.portsup.run(*arguments, "--file", str(self.stack.file), seconds=60)
        return done.returncode, done.stderr

    def up(self, *numbers: int) -> None:
        """Start instances in the background, all at once. Raises AssertionError if one doesn't come up."""
        with ThreadPoolExecutor() as pool:
            done = list(pool.map(lambda number: self.run("up", "-d", "--wait", "-i", str(number)), numbers))
        assert not any(code for code, _ in done), "\n".join(said for _, said in done)

    def services(self, number: int) -> dict[str, dict[str, Any]]:
        """Each service of an instance as `status --json` shows it."""
        (instance,) = self.portsup.ask("status", "-i", str(number), "--file", str(self.stack.file))[
            "instances"
        ]
        return {service["name"]: service for service in instance["services"]}

    def ended(self) -> bool:
        """Whether all children are gone, all lock files are gone, and all ports bindable."""
        return (
            not self.home.children()
            and not self.home.lock_files()
            and all(is_bindable(port) for port in self.stack.ports)
        )

    # The chapters

    def three_side_by_side(self) -> None:
        self.up(*NUMBERS)
        up = {number: self.services(number) for number in NUMBERS}
        ports = [service["port"] for services in up.values() for service in services.values()]
        self.fact(
            len(ports) == len(set(ports)) == 3 * len(self.stack.services),
            f"{len(ports)} services, no port twice",
        )
        for name in self.stack.offsets:
            wanted = [self.stack.pool(name, number)[0] for number in NUMBERS]
            found = [up[number][name]["port"] for number in NUMBERS]
            self.fact(found == wanted, f"{name} of instances 1, 2, 3 has {found}")
        for name, pool in self.stack.shared.items():
            found = sorted(up[number][name]["port"] for number in NUMBERS)
            self.fact(found == pool, f"{name} of the three has {found}, the whole shared pool")
        for number, services in up.items():
            wrong = [
                service["name"] for service in services.values() if not answers_as_itself(service, number)
            ]
            self.fact(
                not wrong,
                f"every service of instance {number} answers as itself{told(wrong)}",
            )

    def a_fourth_is_refused(self) -> None:
        began = time.monotonic()
        code, said = self.run("up", "-i", "4")
        took = time.monotonic() - began
        self.fact(code == 69, f"instance 4 exits {code}")
        self.fact(took < 2, f"within {took:.2f} s")
        (name, pool), *_ = self.stack.shared.items()
        for number in NUMBERS:
            holder = self.services(number)[name]
            self.fact(
                names_holder(said, holder["port"], number, self.stack.file.parent, self.pids(number, holder)),
                f"its message names {holder['port']}, instance {number}, its worktree, pid and age",
            )
        self.fact(all(str(port) in said for port in pool), f"it lists all of {pool}")
        base = self.stack.base + 3 * self.stack.stride
        left = [
            file
            for file in self.home.lock_files()
            if base <= int(re.findall(r"\d+", file)[0]) < base + self.stack.stride
        ]
        self.fact(not left, f"no lock file of instance 4 remains{told(left)}")
        started = [child.pid for child in self.home.children() if child.environ()["PORTSUP_INSTANCE"] == "4"]
        self.fact(not started, f"none of its services was started{told(started)}")

    def pids(self, number: int, service: dict[str, Any]) -> list[int]:
        """Who may be named as the holder: the service's process or its supervisor."""
        (instance,) = self.portsup.ask("status", "-i", str(number), "--file", str(self.stack.file))[
            "instances"
        ]
        return [service["pid"], instance["supervisor"]["pid"]]

    def down_gives_all_back(self) -> None:
        codes = [self.run("down", "-i", str(number))[0] for number in NUMBERS]
        self.fact(codes == [0, 0, 0], f"down of instances 1, 2, 3 exits {codes}")
        self.fact(self.ended(), "children gone, lock files gone, ports bindable, as soon as down returns")

    def a_command_for_each(self) -> None:
        where = ("-i", "1", "--count", str(len(NUMBERS)), "--file", str(self.stack.file))
        done = self.portsup.run("run", *where, "--", sys.executable, "-I", "-S", "-c", ASK, seconds=60)
        self.fact(done.returncode == 0, f"run --count 3 exits {done.returncode}")
        wanted = {f"{number} | {name} ok" for number in NUMBERS for name in self.stack.services}
        found = set(done.stdout.splitlines())
        self.fact(
            found == wanted,
            f"{len(found)} services answer their instance's command{told(sorted(wanted - found))}",
        )
        self.fact(self.ended(), "children gone, lock files gone, ports bindable, as soon as run has exited")

    def a_foreigner_is_stepped_around(self, host: str) -> None:
        name = next(iter(self.stack.offsets))
        first, second, *_ = self.stack.pool(name, 1)
        with foreigner(first, host) as stranger:
            self.up(1)
            port = self.services(1)[name]["port"]
            self.fact(port == second, f"{first} on {host} is taken by a foreign process: {name} gets {port}")
            why = self.portsup.run("why", str(first)).stdout
            self.fact(str(stranger.pid) in why, f"why {first} names it, pid {stranger.pid}")
            self.run("down", "-i", "1")
            self.fact(stranger.poll() is None, "and it lives on")

    def a_pool_full_of_foreigners(self) -> None:
        name = next(iter(self.stack.offsets))
        pool = self.stack.pool(name, 1)
        with ExitStack() as stack:
            strangers = [stack.enter_context(foreigner(port)) for port in pool]
            code, said = self.run("up", "-i", "1")
            self.fact(code == 69, f"all of {pool} taken by foreign processes: up exits {code}")
            named = all(
                str(port) in said and str(stranger.pid) in said
                for port, stranger in zip(pool, strangers, strict=True)
            )
            self.fact(named, "its message names each port and who has it")
            self.fact(
                not self.home.lock_files() and not self.home.children(), "nothing is started or left locked"
            )
            self.fact(all(stranger.poll() is None for stranger in strangers), "the foreign processes live on")

    def a_stop_in_the_foreground(self, how: str, stop: Callable[[Background], object], wanted: int) -> None:
        running = self.portsup.up("-i", "1", "--file", str(self.stack.file))
        wait_until(lambda: self.all_ready(running), 20, "all services to be RUNNING")
        stop(running)
        code = running.wait()
        self.fact(code == wanted, f"{how}: up exits {code}")
        self.fact(self.ended(), "children gone, lock files gone, ports bindable, as soon as it has exited")

    def all_ready(self, running: Background) -> bool:
        assert running.process.poll() is None, running.stderr
        done = self.portsup.run("status", "-i", "1", "--json", "--file", str(self.stack.file))
        return done.returncode == 0 and '"running"' in done.stdout

    def a_killed_child_comes_back(self) -> None:
        self.up(1)
        before = self.services(1)
        name = next(iter(before))
        killed_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.kill(before[name]["pid"], signal.SIGKILL)
        wait_until(
            lambda: (health(before[name]["port"]) or before[name])["pid"] != before[name]["pid"],
            10,
            "its successor",
        )
        after = self.services(1)
        took = started_at(after[name]["pid"]) - killed_at
        self.fact(
            after[name]["port"] == before[name]["port"],
            f"{name} killed with -9 is back on {after[name]['port']}",
        )
        backoff = Backoff().initial
        self.fact(
            took < backoff + RESTART_WITHIN,
            f"started {took * 1000:.0f} ms after the kill, with a backoff of {backoff * 1000:.0f} ms",
        )
        self.fact(after[name]["restarts"] == 1, "status counts one restart")
        untouched = all(after[other]["pid"] == before[other]["pid"] for other in before if other != name)
        self.fact(untouched, "the other services were not touched")
        self.run("down", "-i", "1")


def answers_as_itself(service: dict[str, Any], number: int) -> bool:
    said = health(service["port"]) or {}
    wanted = {
        "service": service["name"],
        "instance": number,
        "port": service["port"],
        "pid": service["pid"],
        "status": "ok",
    }
    return {key: said.get(key) for key in wanted} == wanted


def names_holder(said: str, port: int, number: int, worktree: Path, pids: Sequence[int]) -> bool:
    """Whether one line has the port, the instance, the worktree, one of the pids and an age."""
    lines = [line for line in said.splitlines() if re.search(rf"\b{port}\b", line)]
    return any(
        re.search(rf"instance {number}\b", line)
        and str(worktree) in line
        and any(re.search(rf"\b{pid}\b", line) for pid in pids)
        and re.search(r"\d+ ?(s|m|h|d)", line)
        for line in lines
    )


def told(things: Sequence[object]) -> str:
    return f" (but for {', '.join(map(str, things))})" if things else ""


def started_at(pid: int) -> float:
    """When the process was started, in seconds since boot."""
    owner = os_facts.owner(pid)
    assert owner is not None
    return owner.started / os_facts.TICKS_PER_SECOND


def main() -> int:
    report = Report()
    with sample() as stack, private_home() as home:
        portsup = Portsup(home, stack.file.parent)
        try:
            chapters(Show(stack, portsup, report), report)
        finally:
            portsup.close()
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


def chapters(show: Show, report: Report) -> None:
    with report.chapter("Three instances side by side"):
        show.three_side_by_side()
    with report.chapter("A fourth"):
        show.a_fourth_is_refused()
    with report.chapter("Down"):
        show.down_gives_all_back()
    with report.chapter("A command for each of three"):
        show.a_command_for_each()
    for host in ["127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])]:
        with report.chapter(f"A foreign process on {host}"):
            show.a_foreigner_is_stepped_around(host)
    with report.chapter("A pool full of foreign processes"):
        show.a_pool_full_of_foreigners()
    with report.chapter("Stopping"):
        show.a_stop_in_the_foreground("Ctrl-C", Background.interrupt, 130)
        show.a_stop_in_the_foreground("SIGTERM", lambda up: up.process.terminate(), 143)
        show.a_stop_in_the_foreground("down", lambda _: show.run("down", "-i", "1"), 0)
    with report.chapter("A killed child"):
        show.a_killed_child_comes_back()


if __name__ == "__main__":
    sys.exit(main())
