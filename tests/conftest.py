"""Options, marks and fixtures of the whole suite."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Escapee, Home, Portsup, escapee, port_block, private_home
from hypothesis import settings
from stand_in import Loop

from supervisor.ports.listening import Listening, listen

settings.register_profile("portsup", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("portsup")

FAULTS = Path(__file__).parent / "real" / "faults"
"""All of them are slow: so many real processes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked long")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for what a real process does in its own time."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else 2


def pytest_configure(config: pytest.Config) -> None:
    # A runner that was started with `&` hands an ignored INT and QUIT down, one with nohup an ignored HUP.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_DFL)
    config.addinivalue_line("markers", "slow: takes seconds; run on one Python version only")
    config.addinivalue_line("markers", "long: takes minutes; runs with --long only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if FAULTS in item.path.parents:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --long"))


@pytest.fixture
def ports_block() -> Iterator[int]:
    """The base of 1000 free ports that are this test's alone."""
    with port_block() as base:
        yield base


@pytest.fixture
def portsup_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Private folders for locks, state and sockets, also for code that runs in this process.

    At the end nothing may be left that a supervisor of this home spawned.
    """
    with private_home() as home:
        for name, value in home.variables.items():
            monkeypatch.setenv(name, value)
        yield home


@pytest.fixture
def portsup(portsup_home: Home, tmp_path: Path) -> Iterator[Portsup]:
    """The real command, run in this test's tmp_path."""
    command = Portsup(portsup_home, tmp_path)
    yield command
    command.close()


@pytest.fixture(name="escapee")
def _escapee() -> Iterator[Escapee]:
    """A service that daemonises a worker, gone at the end."""
    with escapee() as one:
        yield one


@pytest.fixture
def loop() -> Iterator[Loop]:
    """An event loop in a thread."""
    with Loop() as running:
        yield running


@pytest.fixture
def listening(ports_block: int) -> Iterator[Listening]:
    """The first port of the block, on which portsup itself listens."""
    opened = listen(ports_block)
    assert opened is not None
    yield opened
    opened.close()


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The test under a umask that gives all away, an ordinary one, and one that gives nothing."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)
