"""When the old child may be stopped: with real connections that wait, or don't."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import pytest

from supervisor.platform import os_facts
from supervisor.ports.listening import Listening
from supervisor.supervise.handover import SETTLE, STUCK, Handover

LONG = 30.0
"""Seconds; more than any of these may take."""


class Old:
    """The child that is to be stopped: `waiting` connections wait for it."""

    def __init__(self, listening: Listening, port: int, stack: contextlib.ExitStack, waiting: int) -> None:
        self.listening = listening
        self.stops = 0
        self.stopped = asyncio.Event()
        self._stack = stack
        self._socket = stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        self._address = ("127.0.0.1", port)
        for _ in range(waiting):
            self.connect()

    def connect(self) -> None:
        self._stack.enter_context(socket.create_connection(self._address)).sendall(b"?")

    def accept(self) -> None:
        """And read what was asked."""
        connection, _ = self._socket.accept()
        self._stack.enter_context(connection).recv(1)

    def accept_unheard(self, *, asked: bool) -> socket.socket:
        self._client = self._stack.enter_context(socket.create_connection(self._address))
        if asked:
            self.send()
        return self._socket.accept()[0]

    def send(self) -> None:
        self._client.sendall(b"?")

    @property
    def relieved(self) -> bool:
        return len(os_facts.listeners(self._address[1:])) == 2

    def hand_over(self, longest: float = LONG) -> Handover:
        return Handover(self.listening, longest, self._stop)

    def _stop(self) -> None:
        self.stops += 1
        self.stopped.set()

    async def stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.stopped.wait(), seconds)
        except TimeoutError:
            return False
        return True


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as opened:
        yield opened


Arrange = Callable[[int], Old]


@pytest.fixture
def arrange(listening: Listening, ports_block: int, stack: contextlib.ExitStack) -> Arrange:
    return lambda waiting: Old(listening, ports_block, stack, waiting)


def test_nothing_waits(arrange: Arrange) -> None:
    """The old child is relieved at once and stopped soon, once."""

    async def trial() -> None:
        old = arrange(0)
        old.hand_over()
        assert await old.stops_within(LONG)
        assert (old.relieved, old.stops) == (True, 1)

    asyncio.run(trial())


def test_it_waits_for_the_last_one(arrange: Arrange) -> None:
    """A child that accepts is relieved, and not stopped before it has taken what came until then."""

    async def trial() -> None:
        old = arrange(4)
        old.hand_over()
        for relieved in (False, True, True, True):
            assert not await old.stops_within(2 * SETTLE)
            assert old.relieved is relieved
            old.accept()
            if relieved:
                old.connect()  # the next child's
        assert await old.stops_within(LONG)
        assert (old.relieved, old.listening.waiting) == (True, 0)
        old.listening.renew()
        assert old.listening.waiting == 3

    asyncio.run(trial())


@pytest.mark.parametrize("longest", [LONG, 0.0])
def test_one_that_does_not_accept(arrange: Arrange, longest: float) -> None:
    """It is stopped after STUCK seconds, or when it may take no longer, and the next one has its queue."""

    async def trial() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        old = arrange(3)
        old.hand_over(longest)
        old.connect()
        assert await old.stops_within(LONG)
        assert loop.time() - began >= min(longest, STUCK)
        assert not old.relieved
        old.listening.renew()
        assert old.listening.waiting == 4

    asyncio.run(trial())


def test_one_that_hangs_halfway(arrange: Arrange) -> None:
    """It is relieved, and doesn't take all that is left to it: stopped after STUCK seconds more."""

    async def trial() -> None:
        old = arrange(3)
        old.hand_over()
        assert not await old.stops_within(2 * SETTLE)
        old.accept()
        assert await old.stops_within(LONG)
        assert (old.relieved, old.listening.waiting) == (True, 2)

    asyncio.run(trial())


@pytest.mark.parametrize("asked", [True, False])
def test_what_is_accepted_is_heard_first(arrange: Arrange, asked: bool) -> None:
    """A child that hasn't read from a connection yet, or to which nothing was sent, is given time."""

    async def trial() -> None:
        old = arrange(0)
        with contextlib.closing(old.accept_unheard(asked=asked)) as connection:
            old.hand_over()
            assert not await old.stops_within(3 * SETTLE)
            if not asked:
                old.send()
            connection.recv(1)
            assert await old.stops_within(LONG)

    asyncio.run(trial())


def test_it_can_be_called_off(arrange: Arrange) -> None:
    """Then nobody is stopped."""

    async def trial() -> None:
        old = arrange(0)
        old.hand_over().cancel()
        assert not await old.stops_within(3 * SETTLE)

    asyncio.run(trial())
