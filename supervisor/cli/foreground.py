"""An instance in the foreground: this process becomes its guard, a child of ours its supervisor.

Reading a command line takes click as long as loading a supervisor takes. So where `up` or `run` stands on
it, the supervisor is forked before that, and both are done at the same time; what else the line says, it is
told then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from supervisor import paths
from supervisor.cli import garbage
from supervisor.errors import PortsupError
from supervisor.process.guard import GuardLink, Standby

if TYPE_CHECKING:
    from supervisor.cli.order import Order

NOT_IN_FOREGROUND = frozenset({"-d", "--detach", "--wait", "-h", "--help"})
"""With these there is nothing to wait for. No more than a guess: one process for nothing is no harm."""

_standby: Standby | None = None


@contextmanager
def expected(words: Sequence[str]) -> Iterator[None]:
    """Fork the supervisor, if these words of `up` or `run` are about to ask for one."""
    global _standby
    if NOT_IN_FOREGROUND.isdisjoint(words):
        try:
            _standby = Standby(_supervise, _load)
        except PortsupError:
            pass  # it is tried again where that can be said
    try:
        yield
    finally:
        dismiss()


def dismiss() -> None:
    """The supervisor that was expected isn't needed: nobody asked for one, or for several or a daemon."""
    global _standby
    if _standby is not None:
        _standby.dismiss()
        _standby = None


def supervise(order: Order) -> NoReturn:
    """One instance, here. Raises PortsupError if there is no process to be had."""
    standby = _standby or Standby(_supervise)
    standby.begin(order.encode(), paths.lock_folder())


def _load(has_begun: Callable[[], bool]) -> None:
    try:
        from supervisor.cli import bringup

        bringup.load_ahead(until=has_begun)
    except Exception:
        pass  # it comes again, and is told, if there is something to supervise


def _supervise(link: GuardLink, order: bytes) -> int:
    try:
        garbage.pause()
        from supervisor.cli.bringup import bring_up
        from supervisor.cli.order import Order

        garbage.search_from_now_on()

        return bring_up(Order.decode(order), link, lambda _standing: None)
    except Exception as failure:
        from supervisor.cli.main import fail
        from supervisor.process.forked import last_words

        return fail(failure, last_words)
