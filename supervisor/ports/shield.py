"""The watch over one reservation: is the lock still ours, and is everyone who listens there ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from supervisor.config.model import ShieldMode
from supervisor.platform.contract import Listener
from supervisor.ports.reserve import Reservation


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found. `lost` after two looks that agree; else a warning, said once."""

    lost: bool
    message: str


class Shield:
    def __init__(
        self, reservation: Reservation, mode: ShieldMode, tree: Callable[[], Collection[int]]
    ) -> None:
        """`tree` gives the pids that may listen; it is asked only when an unknown socket appears."""
        raise NotImplementedError

    @property
    def state(self) -> str:
        """ "up", "lost" or "off"."""
        raise NotImplementedError

    def look(self, listeners: Sequence[Listener]) -> Finding | None:
        """One look; `listeners` is the kernel's table, read once for all shields."""
        raise NotImplementedError
