"""Checks of readiness that real services can't be made to fail at will."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from supervisor.process.child import Exit
from supervisor.supervise.ready import ExecCheck


class SlowToDie:
    """A ready command that goes on for a while after SIGKILL."""

    def __init__(self) -> None:
        self.exit_fd, self.died = os.pipe()
        self.output_fd, self.output = os.pipe()
        self.killed = False

    def poll(self) -> Exit | None:
        return Exit(signal=9) if self.died < 0 else None

    def signal_group(self, signum: int) -> bool:
        self.killed = True
        return True

    def die(self) -> None:
        os.close(self.died)
        os.close(self.output)
        self.died = -1

    def close(self) -> None:
        os.close(self.exit_fd)
        os.close(self.output_fd)


def test_cancelled_twice_while_its_command_dies() -> None:
    """No descriptor is closed while the selector watches it: its number would be deaf for the next file."""

    async def check() -> None:
        child: Any = SlowToDie()
        look = asyncio.create_task(ExecCheck(lambda: child).look())
        for _ in range(2):
            await asyncio.sleep(0)
            look.cancel()
        await asyncio.wait({look})
        assert look.cancelled() and child.killed
        os.fstat(child.exit_fd)
        numbers = {child.exit_fd, child.output_fd}
        child.die()
        for _ in range(3):
            await asyncio.sleep(0)
        read_end, write_end = os.pipe()
        assert read_end in numbers, "closed by now"
        heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(read_end, heard.set)
        os.write(write_end, b"x")
        await asyncio.wait_for(heard.wait(), 5)
        asyncio.get_running_loop().remove_reader(read_end)
        os.close(read_end)
        os.close(write_end)

    asyncio.run(check())
