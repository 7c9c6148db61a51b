"""When the old child may be stopped: with real connections that wait, or don't."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from supervisor.ports.listening import Listening, listen
from supervisor.supervise.handover import SETTLE, STUCK, Handover

LONG = 30.0
"""Seconds; more than any of these may take."""


class Relieved:
    """A port with connections that wait for the old child, which this is."""

    def __init__(self, listening: Listening, port: int, stack: contextlib.ExitStack) -> None:
        self.listening = listening
        self._stack = stack
        self._old = stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert listening.relieve()
        self.stops = 0
        self.stopped = asyncio.Event()

    def accept(self) -> None:
        self._stack.enter_context(self._old.accept()[0])

    def hand_over(self, longest: float) -> Handover:
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


@pytest.fixture
def listening(ports_block: int) -> Iterator[Listening]:
    opened = listen(ports_block)
    assert opened is not None
    yield opened
    opened.close()


def test_it_waits_for_the_last_one(
    listening: Listening, ports_block: int, stack: contextlib.ExitStack
) -> None:
    """As long as the child goes on accepting it isn't stopped, and soon after the last one it is, once."""

    async def trial() -> None:
        relieved = Relieved(listening, ports_block, stack)
        relieved.hand_over(LONG)
        for _ in range(3):
            assert not await relieved.stops_within(2 * SETTLE)
            relieved.accept()
        assert await relieved.stops_within(LONG)
        assert relieved.stops == 1

    asyncio.run(trial())


@pytest.mark.parametrize("longest", [LONG, 0.0])
def test_it_does_not_wait_for_ever(
    listening: Listening, ports_block: int, stack: contextlib.ExitStack, longest: float
) -> None:
    """A child that accepts nothing is stopped after STUCK seconds, or when it may take no longer."""

    async def trial() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        relieved = Relieved(listening, ports_block, stack)
        relieved.hand_over(longest)
        assert await relieved.stops_within(LONG)
        assert loop.time() - began >= min(longest, STUCK) + SETTLE
        assert listening.left_behind == 3

    asyncio.run(trial())


def test_it_can_be_called_off(listening: Listening, ports_block: int, stack: contextlib.ExitStack) -> None:
    """Then nobody is stopped."""

    async def trial() -> None:
        relieved = Relieved(listening, ports_block, stack)
        relieved.hand_over(0.0).cancel()
        assert not await relieved.stops_within(3 * SETTLE)

    asyncio.run(trial())
