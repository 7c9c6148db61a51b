"""Which services have failed since the last look: each failure is told once, not each try before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.snapshot import ServiceSnapshot

if TYPE_CHECKING:
    from supervisor.supervise.supervisor import Supervisor


class Failures:
    def __init__(self, tell: Callable[[ServiceSnapshot, bool], None]) -> None:
        """`tell` is also told whether the instance ends with that."""
        self._tell = tell
        self._told: set[str] = set()

    def look(self, supervisor: Supervisor) -> None:
        """Something has changed."""
        failed = {unit.name for unit in supervisor.units.values() if unit.failed}
        new, self._told = failed - self._told, failed
        for name in sorted(new):
            self._tell(supervisor.units[name].snapshot(), supervisor.ends_by_itself)
