"""A spawned child on the event loop: its output to the sinks, its exit to the unit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from supervisor.lines import Lines
from supervisor.process.child import Child, Exit
from supervisor.supervise.logs import Pump, Sink


class Wire:
    """Connected from spawn until nothing of the child's tree is left."""

    def __init__(
        self,
        child: Child,
        log: Sink,
        line_sinks: Sequence[Callable[[bytes], None]],
        on_exit: Callable[[Exit], None],
    ) -> None:
        """`log` gets every byte, `line_sinks` get whole lines; `on_exit` is called once."""
        self.child = child
        self._lines = [Lines(sink) for sink in line_sinks]
        self._pump = Pump(child.output_fd, [log, *self._lines])
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(child.output_fd, self._flow)
        self._loop.add_reader(child.exit_fd, self._look)

    def _flow(self) -> None:
        if not self._pump.flow():
            self._loop.remove_reader(self.child.output_fd)

    def _look(self) -> None:
        result = self.child.poll()
        if result is not None:
            self._loop.remove_reader(self.child.exit_fd)
            self._pump.drain()
            self._on_exit(result)

    def cut(self) -> None:
        """Pass on the last output and close. Whoever was spared on purpose finds its pipe closed."""
        self._loop.remove_reader(self.child.exit_fd)
        self._loop.remove_reader(self.child.output_fd)
        self._pump.drain()
        for lines in self._lines:
            lines.finish()
        self.child.close()
