"""Does anybody use this port? Asked by binding, as a server would."""

from __future__ import annotations


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` on any address. Only claimers, who hold the lock, call this."""
    raise NotImplementedError
