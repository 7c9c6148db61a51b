"""The fixture `portsup_instance`, in real runs of pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import stand_in
from harness import Home, assert_nothing_left, wait_until, write_stack
from stand_in import Loop, record, service, snapshot_of

from supervisor import pytest_plugin
from supervisor.config.model import LogLimits
from supervisor.paths import service_log
from supervisor.supervise.logs import LogFile

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

TALKS = [
    *(sys.executable, "-I", "-S", "-u", "-c"),
    """
import os, socket
with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as listening:
    print("ready to talk", flush=True)
    while True:
        connection, _ = listening.accept()
        with connection:
            print("heard:", connection.recv(100).decode(), flush=True)
""",
]
"""A service that prints what it is told."""

TELL = """
import os, socket

def tell(instance, text):
    with socket.create_connection(("127.0.0.1", instance.port("web"))) as connection:
        connection.sendall(text.encode())
        connection.recv(1)  # it has closed, so it has printed
"""


@pytest.fixture
def stack(pytester: pytest.Pytester, portsup_home: Home, ports_block: int) -> int:
    """A stack beside the tests. Returns the port of `web` in instance 1."""
    services = {
        "web": {
            "command": TALKS,
            "pool": {"offset": 0, "size": 1},
            "pools": {"metrics": {"offset": 1, "size": 1, "env": "METRICS_PORT"}},
            "ready": {"log": "ready"},
        },
        "worker": {"command": ["sleep", "300"]},
    }
    write_stack(pytester.path, services, base_port=ports_block)
    return ports_block


def assert_gone(home: Home, *ports: int) -> None:
    wait_until(lambda: not home.processes(), 20, "the end of all processes")
    assert_nothing_left(home, ports)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=60)


def test_one_instance_for_the_session(pytester: pytest.Pytester, portsup_home: Home, stack: int) -> None:
    """With ports, URLs, variables and logs; down when the session is over."""
    pytester.makepyfile(
        f"""
        import pytest
        {TELL.replace(chr(10), chr(10) + "        ")}
        def test_facts(portsup_instance):
            one = portsup_instance
            assert (one.number, one.port("web"), one.port("web", "metrics")) == (1, {stack}, {stack + 1})
            assert one.url("web") == one.env["PORTSUP_WEB_URL"] == "http://127.0.0.1:{stack}"
            assert "PORTSUP_UNIT" not in one.env
            with pytest.raises(KeyError, match="there is no service 'wbe'; there are: web, worker"):
                one.port("wbe")
            with pytest.raises(KeyError, match="worker has no port"):
                one.url("worker")

        def test_logs(portsup_instance, request):
            tell(portsup_instance, "hello")
            assert portsup_instance.logs("web") == "ready to talk\\nheard: hello\\n"
            assert portsup_instance.logs("worker") == ""
            assert request.getfixturevalue("portsup_instance") is portsup_instance
        """
    )
    for _ in range(2):  # the second session finds nothing of the first one in the logs
        run(pytester).assert_outcomes(passed=2)
    assert_gone(portsup_home, stack)


def test_a_failure_shows_what_services_printed(
    pytester: pytest.Pytester, portsup_home: Home, stack: int
) -> None:
    """During that test, and of tests that have an instance only."""
    pytester.makepyfile(
        f"""
        {TELL.replace(chr(10), chr(10) + "        ")}
        def test_good(portsup_instance):
            tell(portsup_instance, "before")

        def test_bad(portsup_instance):
            tell(portsup_instance, "meanwhile")
            assert False

        def test_alone():
            assert False
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*- portsup web -*", "heard: meanwhile", "*_ test_alone _*"])
    text = result.stdout.str()
    assert text.count("portsup web") == 1 and "heard: before" not in text and "portsup worker" not in text
    assert_gone(portsup_home, stack)


def test_the_first_test_that_fails_shows_the_start(
    pytester: pytest.Pytester, portsup_home: Home, stack: int
) -> None:
    """The instance came up for it."""
    pytester.makepyfile("def test_bad(portsup_instance): assert False")
    run(pytester).stdout.fnmatch_lines(["*- portsup web -*", "ready to talk"])


def test_each_xdist_worker_has_its_own(pytester: pytest.Pytester, portsup_home: Home, stack: int) -> None:
    """Two at the same time, and each test talks to its worker's."""
    pytester.makepyfile(
        """
        import os, pathlib, time, pytest

        @pytest.mark.parametrize("place", range(2))
        def test_number(portsup_instance, place):
            pathlib.Path(f"seen.{os.environ['PYTEST_XDIST_WORKER']}").write_text(str(portsup_instance.number))
            deadline = time.monotonic() + 30
            while len(list(pathlib.Path().glob("seen.*"))) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        """
    )
    run(pytester, "-n", "2", "--dist", "each").assert_outcomes(passed=4)
    assert sorted(file.read_text() for file in pytester.path.glob("seen.*")) == ["1", "2"]
    assert_gone(portsup_home, stack, stack + 100)


def test_options_and_ini(pytester: pytest.Pytester, portsup_home: Home, ports_block: int) -> None:
    """Which file, services and timeout; what is typed wins."""
    elsewhere = pytester.mkdir("elsewhere")
    never = {"command": ["sleep", "300"], "ready": {"log": "never"}}
    write_stack(
        elsewhere,
        {"web": {"pool": {"offset": 0, "size": 1}}, "never": never},
        base_port=ports_block,
    )
    pytester.makeini(
        "[pytest]\nportsup_file = elsewhere/services.toml\nportsup_services = web\nportsup_timeout = 0.5\n"
    )
    pytester.makepyfile("def test_port(portsup_instance): print('port', portsup_instance.port('web'))")
    good = run(pytester, "--portsup-timeout", "30", "-s")
    good.assert_outcomes(passed=1)
    assert f"port {ports_block}" in good.stdout.str()
    late = run(pytester, "--portsup-services", "web never")
    late.assert_outcomes(errors=1)
    late.stdout.fnmatch_lines(["*never is STARTING: not ready after 0.5 s (--timeout)*"])
    lost = run(pytester, "--portsup-file", "nowhere.toml")
    lost.assert_outcomes(errors=1)
    lost.stdout.fnmatch_lines([f"*there is no {pytester.path.resolve()}/nowhere.toml*"])
    assert_gone(portsup_home, ports_block)


def test_without_a_services_toml(pytester: pytest.Pytester, portsup_home: Home) -> None:
    """Each test that wants an instance says so, without a traceback; others pass."""
    pytester.makepyfile(
        """
        def test_one(portsup_instance): pass
        def test_two(portsup_instance): pass
        def test_alone(): pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["no instance for these tests:", "portsup: no services.toml in *"])
    assert "Traceback" not in result.stdout.str() and "pytest_plugin.py" not in result.stdout.str()


def test_a_service_that_fails_is_shown(
    pytester: pytest.Pytester, portsup_home: Home, ports_block: int
) -> None:
    """With its last lines."""
    fails = [sys.executable, "-I", "-S", "-c", "import sys; print('no database'); sys.exit(4)"]
    write_stack(
        pytester.path,
        {"db": {"command": fails, "restart": "no", "ready": {"log": "never"}}},
        base_port=ports_block,
    )
    pytester.makepyfile("def test_one(portsup_instance): pass")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*db is EXITED: ended with code 4", "*db |   no database"])
    assert_gone(portsup_home)


def start(pytester: pytest.Pytester, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", *arguments]
    return subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, start_new_session=True)


def wait_for(pytester: pytest.Pytester, name: str, count: int = 1) -> None:
    wait_until(lambda: len(list(pytester.path.glob(f"{name}*"))) == count, 30, f"{count} {name}")


HANGS = """
import os, pathlib, time

def test_hangs(portsup_instance):
    pathlib.Path(f"hanging.{os.getpid()}").touch()
    time.sleep(300)
"""


@pytest.mark.parametrize(("how", "wanted"), [("interrupt", 2), ("kill", -9), ("group", -9)])
def test_pytest_ends_early(
    how: str, wanted: int, pytester: pytest.Pytester, portsup_home: Home, stack: int
) -> None:
    """By Ctrl-C, by kill -9, and by kill -9 of its process group: nothing of the instance stays."""
    pytester.makepyfile(HANGS)
    with start(pytester) as running:
        wait_for(pytester, "hanging")
        match how:
            case "interrupt":
                os.killpg(running.pid, signal.SIGINT)
            case "kill":
                running.kill()
            case "group":
                os.killpg(running.pid, signal.SIGKILL)
        assert running.wait(30) == wanted
    assert_gone(portsup_home, stack)


def test_pytest_with_workers_is_killed(pytester: pytest.Pytester, portsup_home: Home, stack: int) -> None:
    """The workers end with it, and their instances with them."""
    pytester.makepyfile(HANGS)
    with start(pytester, "-n", "2", "--dist", "each") as running:
        wait_for(pytester, "hanging", 2)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(30)
    assert_gone(portsup_home, stack, stack + 100)


def test_interrupted_while_services_start(
    pytester: pytest.Pytester, portsup_home: Home, ports_block: int
) -> None:
    """There is no command yet that could learn of the end of its input."""
    write_stack(
        pytester.path,
        {"never": {"command": ["sh", "-c", "touch started; sleep 300"], "ready": {"log": "never"}}},
        base_port=ports_block,
    )
    pytester.makepyfile("def test_one(portsup_instance): pass")
    with start(pytester) as running:
        wait_for(pytester, "started")
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(30) == 2
    assert_gone(portsup_home)


COUNT = "import sys, pytest; before = set(sys.modules); import supervisor.pytest_plugin as plugin; "


def test_it_imports_nothing(portsup_home: Home) -> None:
    """Beside what pytest has loaded already: it is in every run of pytest."""
    program = f"{COUNT}print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["supervisor", "supervisor.pytest_plugin"]


def test_logs_over_rotations(portsup_home: Home, loop: Loop) -> None:
    """All that is there of the instance, and for a report what came since the test began, whichever file
    that is in by now."""
    shown = record(portsup_home.folder)
    served = stand_in.Instance(shown, (service("web"), service("db")))
    loop.serve(Path(shown.socket), served.dispatch)
    instance = pytest_plugin.Instance(shown, snapshot_of(shown, *served.services), {})
    with closing(LogFile(service_log(Path(shown.logs), "web"), LogLimits(16, 3), pytest.fail)) as log:
        log.write(b"1 before\n2 be")
        instance.mark()
        log.write(b"fore\n3 meanwhile\n4 meanwhile\n")
        assert instance.logs("web") == "1 before\n2 before\n3 meanwhile\n4 meanwhile\n"
        assert list(instance.sections()) == [("portsup web", "fore\n3 meanwhile\n4 meanwhile\n")]
