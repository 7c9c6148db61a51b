"""The fixture `portsup_instance`: an instance for the tests of one pytest process.

pytest loads this in every run of whoever has portsup installed, so that nothing is imported here but what
pytest itself has. The instance belongs to a `portsup run` whose command only waits for the end of its
standard input: that comes with the session's end, and with pytest's, however that dies.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import IO, Any

    from supervisor.records import InstanceRecord
    from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

FIXTURE = "portsup_instance"

LAST_LINES = 20
"""Of what each service has printed during a test that failed."""

STOP_SECONDS = 60.0
"""For an orderly stop; then it is killed."""

HOLD = """
import os, sys
print(os.environ["PORTSUP_BASE_PORT"], flush=True)
sys.stdin.read()
"""
"""The command of `portsup run`: says that everything is ready, and waits for our end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("portsup", "portsup: an instance of services.toml for the tests")
    file_help = "the services.toml to use; default: the nearest one, in rootdir or above"
    services_help = "start only these and what they depend on"
    timeout_help = "seconds that the services may take to be ready; default: their own ready timeouts"
    group.addoption("--portsup-file", metavar="PATH", help=file_help)
    group.addoption("--portsup-services", metavar="NAMES", help=f"{services_help} (separated by spaces)")
    group.addoption("--portsup-timeout", metavar="SECONDS", type=float, help=timeout_help)
    parser.addini("portsup_file", f"{file_help} (relative to rootdir)", default="")
    parser.addini("portsup_services", services_help, type="args", default=[])
    parser.addini("portsup_timeout", timeout_help, default="")


class Mark(NamedTuple):
    """How far a service's log was written."""

    inode: int
    size: int


class Instance:
    """A running instance of the stack. All of its services were ready when the first test got it."""

    def __init__(self, record: InstanceRecord, snapshot: InstanceSnapshot, env: Mapping[str, str]) -> None:
        self.number = record.instance
        self.env = env
        """What `portsup env` prints: variables for a process that a test starts."""
        self._services = {service.name: service for service in snapshot.services}
        self._record = record
        self._marks: dict[str, Mark | None] = {}

    def url(self, service: str) -> str:
        """As http://127.0.0.1:6010, without a slash at the end. Raises KeyError if it has no port."""
        url = self._service(service).url
        if url is None:
            raise KeyError(f"{service} has no port")
        return url

    def port(self, service: str, pool: str = "port") -> int:
        """The service's main port, or the one of a named pool. Raises KeyError if there is none."""
        return self._service(service).ports[pool]

    def logs(self, service: str) -> str:
        """What the service has printed in this instance. Raises KeyError if there is no such service."""
        self._catch_up()
        return self._since(self._service(service).name, None)

    def _service(self, name: str) -> ServiceSnapshot:
        if name not in self._services:
            raise KeyError(f"there is no service {name!r}; there are: {', '.join(self._services)}")
        return self._services[name]

    def _catch_up(self) -> None:
        """Whoever gets an answer from the supervisor knows that it has read what was printed before."""
        from supervisor.control.client import snapshot

        snapshot(self._record)

    def _newest_first(self, service: str) -> Iterator[IO[bytes]]:
        """The files of its log. To be kept open by the caller until all are there."""
        from pathlib import Path

        from supervisor.log_files import newest_first
        from supervisor.paths import service_log

        return (open(fd, "rb") for fd in newest_first(service_log(Path(self._record.logs), service)))

    def _since(self, service: str, mark: Mark | None) -> str:
        """From `mark` on, in whichever file that is by now; from the first one without it."""
        parts: list[bytes] = []
        with ExitStack() as stack:
            for file in map(stack.enter_context, self._newest_first(service)):
                found = mark is not None and os.fstat(file.fileno()).st_ino == mark.inode
                file.seek(mark.size if mark is not None and found else 0)
                parts.append(file.read())
                if found:
                    break
        return b"".join(reversed(parts)).decode(errors="replace")

    def _mark(self, service: str) -> Mark | None:
        for file in self._newest_first(service):
            with file:
                found = os.fstat(file.fileno())
                return Mark(found.st_ino, found.st_size)
        return None

    # For reports

    def mark(self) -> None:
        """A test begins."""
        self._catch_up()
        self._marks = {name: self._mark(name) for name in self._services}

    def sections(self) -> Iterator[tuple[str, str]]:
        """What each service has printed last since then, with a title; nothing of those that were silent."""
        self._catch_up()
        for name in self._services:
            lines = self._since(name, self._marks.get(name)).splitlines(keepends=True)
            if lines:
                yield f"portsup {name}", "".join(lines[-LAST_LINES:])


KEY = pytest.StashKey[Instance]()


@pytest.fixture(scope="session")
def portsup_instance(pytestconfig: pytest.Config) -> Iterator[Instance]:
    """An instance of services.toml for this session; with pytest-xdist, one for each worker."""
    import tempfile

    with tempfile.TemporaryFile("w+") as said:
        process = _launch(pytestconfig, said)
        try:
            instance = _await(process, said)
            pytestconfig.stash[KEY] = instance
            yield instance
        finally:
            _end(process)


def _launch(config: pytest.Config, said: IO[str]) -> subprocess.Popen[str]:
    import subprocess

    command = [sys.executable, "-P", "-m", "supervisor", "run", "-i", "auto", "--count", "1"]
    return subprocess.Popen(
        [*command, *_arguments(config), "--", sys.executable, "-I", "-S", "-c", HOLD],
        cwd=config.rootpath,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        start_new_session=True,  # Ctrl-C is for pytest, whose last tests still need the services
    )


def _arguments(config: pytest.Config) -> list[str]:
    file = _file(config)
    timeout = config.getoption("portsup_timeout") or config.getini("portsup_timeout")
    services = config.getoption("portsup_services")
    return [
        *(["--file", str(file)] if file else []),
        *(["--timeout", str(timeout)] if timeout else []),
        *(services.split() if services is not None else config.getini("portsup_services")),
    ]


def _file(config: pytest.Config) -> Path | None:
    if typed := config.getoption("portsup_file"):
        return config.invocation_params.dir / str(typed)
    written = config.getini("portsup_file")
    return config.rootpath / str(written) if written else None


def _await(process: subprocess.Popen[str], said: IO[str]) -> Instance:
    """Fails the test with what portsup said if the instance doesn't come up."""
    assert process.stdout is not None
    try:
        base_port = process.stdout.readline()
    except BaseException:  # Ctrl-C, or a timeout: there is no command yet that waits for our end
        process.terminate()
        raise
    if not base_port:
        process.wait()
        said.seek(0)
        pytest.fail(f"no instance for these tests:\n{said.read()}", pytrace=False)
    return _look_up(int(base_port))


def _look_up(base_port: int) -> Instance:
    from supervisor import paths, records
    from supervisor.control import client

    record = records.read(records.instance_file(paths.lock_folder(), base_port))
    assert isinstance(record, records.InstanceRecord), "it is up"
    with client.reach(record) as connection:
        snapshot = client.read_snapshot(record, connection.call("snapshot"))
        env = client.read_variables(record, connection.call("env"))
    return Instance(record, snapshot, env)


def _end(process: subprocess.Popen[str]) -> None:
    """By the end of its command's input."""
    import subprocess

    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # the guard: its supervisor stops the instance then
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    instance = item.config.stash.get(KEY, None)
    if instance is not None and FIXTURE in getattr(item, "fixturenames", ()):
        instance.mark()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    instance = item.config.stash.get(KEY, None)
    if report.failed and instance is not None and FIXTURE in getattr(item, "fixturenames", ()):
        report.sections += instance.sections()
