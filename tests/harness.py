"""What tests with real processes share: a home of their own, ports of their own, the real command.

The fixtures in conftest.py hand these out; scripts/three_instances.py and bench/ use them too.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import tomli_w

ROOT = Path(__file__).parents[1]
SAMPLE_SERVICE = ROOT / "scripts" / "sample_service.py"
CHILDREN = ROOT / "tests" / "real" / "children"
"""Scripts that services misbehave with, one kind a file."""
DAEMONISE = CHILDREN / "daemonise.py"
COMMAND = (sys.executable, "-m", "supervisor")
WAITS = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]
"""A service that does nothing, until a signal ends it."""
MARKER = "PORTSUP_UNIT"
"""In the environment of every child that portsup spawns, and of nobody else."""

BLOCK = 1000
BLOCKS = range(11_000, 31_000, BLOCK)
"""Below the kernel's ephemeral ports, above those that browsers refuse."""

MAY_SKIP = not os.environ.get("CI")
"""Where a test needs a program that isn't here it is skipped, save in CI: there that is a failure."""

LOOK_EVERY = 0.01
"""Seconds between two looks at a condition."""

T = TypeVar("T")


def until_small(guard: int) -> None:
    """Return when that guard is the program that it becomes when the start is over, and waits."""
    cmdline, stat = Path(f"/proc/{guard}/cmdline"), Path(f"/proc/{guard}/stat")
    wait_until(lambda: b"supervisor.process.vigil" in cmdline.read_bytes(), 10, "the guard to be small")
    wait_until(lambda: stat.read_text().rpartition(") ")[2].startswith("S"), 10, "the guard to wait")


def until_hung_up(home: Home) -> None:
    """Return when no supervisor of that home has a client any more: then its descriptors can be counted."""
    sockets = {os.fsencode(path) for path in (home.folder / "run").rglob("*.sock")}
    assert sockets
    wait_until(lambda: not sockets & _connected(), 10, "the clients' connections to be closed")


CONNECTED = b"03"
"""In /proc/net/unix; an accepted socket has there the path of the one that it came to."""


def _connected() -> set[bytes]:
    rows = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_bytes().splitlines()[1:])
    return {row[7] for row in rows if len(row) == 8 and row[5] == CONNECTED}


def wait_until(look: Callable[[], T | None], seconds: float, what: str = "a condition") -> T:
    """The first truthy answer of `look`. Raises AssertionError after `seconds` without one."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(LOOK_EVERY)
    return answer


BETWEEN_PRESSES = 0.2
"""Seconds that a person needs for a second Ctrl-C; what comes sooner is an echo of the first."""


def wait_as_a_person() -> None:
    """Between two stop commands that are meant to be two."""
    again = time.monotonic() + BETWEEN_PRESSES
    wait_until(lambda: time.monotonic() > again, 5)


# Ports


@contextlib.contextmanager
def port_block() -> Iterator[int]:
    """The base of a block of 1000 ports that are free, and no other test's while this is open.

    The block is claimed by a flock, so that test runs side by side never share one.
    """
    folder = Path(f"/tmp/portsup-test-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    base, claim = wait_until(lambda: _claim_block(folder), 30, "a free block of ports")
    try:
        yield base
    finally:
        os.close(claim)


def _claim_block(folder: Path) -> tuple[int, int] | None:
    for base in random.sample(BLOCKS, len(BLOCKS)):
        claim = os.open(folder / str(base), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            continue
        if all(is_bindable(port) for port in range(base, base + BLOCK)):
            return base, claim
        os.close(claim)
    return None


def is_bindable(port: int) -> bool:
    """Whether a server could listen on `port` on every address, IPv4 and IPv6."""
    dual = socket.has_dualstack_ipv6()
    with socket.socket(socket.AF_INET6 if dual else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dual:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def bind_first(unbound: socket.socket, base: int) -> int:
    """Bind to the first port of a block that no earlier test has left in TIME_WAIT: without
    SO_REUSEADDR, that is as good as taken."""
    for port in range(base, base + BLOCK):
        try:
            unbound.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise AssertionError("every port of the block is in TIME_WAIT")


@contextlib.contextmanager
def full_pipe() -> Iterator[int]:
    """The write end of a pipe that takes no more and that nobody reads: what Ctrl-S does to a terminal."""
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while os.write(write_end, b"x" * size):
                    pass
        os.set_blocking(write_end, True)
        yield write_end
    finally:
        os.close(read_end)
        os.close(write_end)


FOREIGNER = """
import socket, sys
shares, port, *hosts = sys.argv[1:]
listening = []
for host in hosts:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening.append(socket.create_server((host, int(port)), family=family, reuse_port=shares == "shares"))
print("listening", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def foreigner(
    port: int, *hosts: str, shares: bool = False, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that portsup did not start and that listens on `port` of `hosts` (127.0.0.1).

    `shares`: with SO_REUSEPORT, so beside another of the same user that has it too.
    """
    how = "shares" if shares else "alone"
    arguments = [sys.executable, "-I", "-S", "-c", FOREIGNER, how, str(port), *(hosts or ("127.0.0.1",))]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


def health(port: int, path: str = "/api/health") -> dict[str, Any] | None:
    """What the service on `port` answers, or None if nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


# Stacks


def write_stack(
    folder: Path,
    services: Mapping[str, Any],
    *,
    base_port: int,
    defaults: Mapping[str, Any] | None = None,
    **stack: Any,
) -> Path:
    """services.toml in `folder`. A service without a command runs the sample service, and is ready
    when that answers."""
    document: dict[str, Any] = {"stack": {"name": "test", "base_port": base_port, **stack}}
    if defaults:
        document["defaults"] = dict(defaults)
    sample = {"command": [sys.executable, "-I", "-S", str(SAMPLE_SERVICE)], "ready": {"http": "/api/health"}}
    document["services"] = {
        name: dict(keys) if "command" in keys else {**sample, **keys} for name, keys in services.items()
    }
    path = folder / "services.toml"
    path.write_text(tomli_w.dumps(document))
    return path


@dataclass(frozen=True)
class Escapee:
    """tests/real/children/daemonise.py as a service: a leader, and a worker that it daemonises."""

    folder: Path
    """Each of the two writes its pid there when it is set up, and that it was asked to end."""

    def service(self, *flags: str, **keys: Any) -> dict[str, Any]:
        """For `write_stack`: ready when the worker is set up. Needs nothing of its environment."""
        command = [sys.executable, "-I", "-S", str(DAEMONISE), str(self.folder), *flags]
        return {"command": command, "ready": {"exec": f"test -s {self.folder}/worker"}, **keys}

    def pid(self, name: str) -> int:
        """Of the "leader" or the "worker", once it is set up."""
        file = self.folder / name
        wait_until(file.exists, 10, f"the {name} of {self.folder}")
        return int(file.read_text())

    def was_asked(self, name: str) -> bool:
        """Whether it got TERM, and didn't ignore it."""
        return (self.folder / f"{name}.TERM").exists()

    def alive(self) -> list[psutil.Process]:
        """Leader, middle and worker, as far as they live, whatever they have shed."""
        return [process for process in psutil.process_iter() if str(self.folder) in _command_line(process)]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


@contextlib.contextmanager
def escapee() -> Iterator[Escapee]:
    """An Escapee, killed at the end if it is still there: it may carry nothing by which its home finds it."""
    one = Escapee(Path(tempfile.mkdtemp(prefix="e", dir="/tmp")))
    try:
        yield one
    finally:
        for process in one.alive():
            _signal(process, signal.SIGKILL)
        shutil.rmtree(one.folder, ignore_errors=True)


# A home


@dataclass(frozen=True)
class Home:
    """Folders of a test's own for locks, state and sockets. Paths are short: sockets lie below."""

    folder: Path

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    @property
    def variables(self) -> dict[str, str]:
        """What makes portsup live here."""
        return {
            "PORTSUP_LOCK_DIR": str(self.locks),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
        }

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment without its portsup variables, and with those of this home."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PORTSUP_")}
        return {**own, **self.variables, "NO_COLOR": "1", "COLUMNS": "200"}

    def lock_files(self) -> list[str]:
        return sorted(path.name for path in self.locks.glob("*.lock.json"))

    def logs(self, instance: int = 1) -> Path:
        """Where the logs of the only worktree's instance lie."""
        (folder,) = self.folder.glob(f"state/portsup/*/{instance}/logs")
        return folder

    def events(self, instance: int = 1) -> list[dict[str, Any]]:
        """What the supervisor wrote to its event log. Of a line across two pages a reader may see half."""
        whole, _, _half = (self.logs(instance) / "portsup.events.jsonl").read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def processes(self) -> list[psutil.Process]:
        """Every live process that was started with this home in its environment."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def children(self) -> list[psutil.Process]:
        """Those of them that a supervisor spawned, and their descendants."""
        return [process for process in self.processes() if MARKER in _environment(process)]

    def _owns(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        return _environment(process).get("PORTSUP_LOCK_DIR") == str(self.locks)


def kill_both(guard: int, supervisor: int) -> None:
    """SIGKILL to a guard and its supervisor, neither of which gets to run after the other's death."""
    both = [psutil.Process(guard), psutil.Process(supervisor)]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for process in both:
            process.send_signal(signum)
    wait_until(lambda: not any(map(_lives, both)), 10, "the death of both")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def assert_nothing_left(home: Home, ports: Iterable[int]) -> None:
    """No process of a service, no lock file, no control socket; `ports` can be used again."""
    assert home.children() == []
    assert home.lock_files() == []
    assert list((home.folder / "run").rglob("*.sock")) == []
    assert all(is_bindable(port) for port in ports)


@contextlib.contextmanager
def private_home() -> Iterator[Home]:
    """A Home that is removed at the end. Ends what still runs there; raises AssertionError if a
    child outlived its supervisor, or a supervisor an orderly stop."""
    home = Home(Path(tempfile.mkdtemp(prefix="p", dir="/tmp")))
    (home.folder / "run").mkdir(mode=0o700)
    try:
        yield home
    finally:
        leaked = _end(home)
        shutil.rmtree(home.folder, ignore_errors=True)
    assert not leaked, "left running:\n" + "\n".join(leaked)


def _end(home: Home) -> list[str]:
    """Stop every supervisor of `home` orderly; kill what is left after that, and tell what it was."""
    supervisors = [process for process in home.processes() if MARKER not in _environment(process)]
    for process in supervisors:
        _signal(process, signal.SIGTERM)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not home.processes(), 20 if supervisors else 1)
    left = home.processes()
    told = [_describe(process) for process in left]
    for process in left:
        _signal(process, signal.SIGKILL)
    return told


def _signal(process: psutil.Process, signum: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signum)  # psutil compares the start time first


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {_environment(process).get(MARKER, '')} {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"{process.pid}, gone meanwhile"


# The command


@dataclass(frozen=True)
class Background:
    """A `portsup up` in the foreground of a terminal that isn't there: a session of its own."""

    process: subprocess.Popen[bytes]
    output: Path
    """What it wrote to stdout."""
    errors: Path
    """What it wrote to stderr."""

    @property
    def stdout(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.errors.read_text(errors="replace")

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole foreground group, as a terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, seconds: float = 15) -> int:
        """The exit code. Raises TimeoutExpired."""
        return self.process.wait(seconds)


WITHOUT_ROOTS_RIGHTS = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)
"""Before a command: modes of files bind it, as they bind every user but root."""


def private_bytes(pid: int) -> int:
    """Memory that this process alone has (USS)."""
    return int(psutil.Process(pid).memory_full_info().uss)


class Portsup:
    """The real command line, run in `cwd` and at home in `home`."""

    def __init__(self, home: Home, cwd: Path, through: Sequence[str] = ()) -> None:
        """`through` goes before each command, as env, nice or setpriv do."""
        self.home = home
        self.cwd = cwd
        self._command = (*through, *COMMAND)
        self._started: list[Background] = []

    def run(
        self, *arguments: str, seconds: float = 30, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*self._command, *arguments],
            cwd=cwd or self.cwd,
            env={**self.home.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def ask(self, *arguments: str, cwd: Path | None = None) -> Any:
        """What it prints as JSON; `arguments` get `--json`. Raises AssertionError if it fails."""
        done = self.run(*arguments, "--json", cwd=cwd)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def instance(self, number: int) -> dict[str, Any]:
        """One instance as `status --json` shows it."""
        (found,) = self.ask("status", "-i", str(number))["instances"]
        assert isinstance(found, dict)
        return found

    def service(self, number: int, name: str) -> dict[str, Any]:
        """One service of an instance as `status --json` shows it."""
        (found,) = [one for one in self.instance(number)["services"] if one["name"] == name]
        assert isinstance(found, dict)
        return found

    def wait_for_service(self, number: int, name: str, state: str, seconds: float = 15) -> dict[str, Any]:
        """One service, once it is in `state`."""

        def look() -> dict[str, Any] | None:
            found = self.service(number, name)
            return found if found["state"] == state else None

        return wait_until(look, seconds, f"{name} to be {state}")

    def up(self, *arguments: str, cwd: Path | None = None, **environ: Any) -> Background:
        """Start `portsup up` in the background; ended with this object."""
        return self.start("up", *arguments, cwd=cwd, **environ)

    def start(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        **environ: str,
    ) -> Background:
        """Start a command in the background. It writes to files, or to descriptors that are given."""
        stem = self.home.folder / f"{arguments[0]}-{len(self._started)}"
        output, errors = stem.with_suffix(".out"), stem.with_suffix(".err")
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [*self._command, *arguments],
                cwd=cwd or self.cwd,
                env={**self.home.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                start_new_session=True,
            )
        background = Background(process, output, errors)
        self._started.append(background)
        return background

    def wait_for_services(
        self, number: int, states: Sequence[str] = ("RUNNING",), seconds: float = 15
    ) -> Any:
        """The instance, once each of its services is in one of `states`."""

        def look() -> dict[str, Any] | None:
            done = self.run("status", "-i", str(number), "--json")
            instances = json.loads(done.stdout)["instances"] if done.returncode == 0 else []
            if not instances or not instances[0]["services"]:
                return None  # its control socket doesn't stand yet
            there = all(service["state"] in states for service in instances[0]["services"])
            return dict(instances[0]) if there else None

        return wait_until(look, seconds, f"instance {number} in {states}")

    def close(self) -> None:
        """End what `start` started: orderly, and after ten seconds at once."""
        for background in self._started:
            background.process.terminate()
        for background in self._started:
            try:
                background.wait(10)
            except subprocess.TimeoutExpired:
                background.process.kill()
                background.wait()


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
