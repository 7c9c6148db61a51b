"""Lines of several services on one stream, each with its service's name before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supervisor.lines import COLOURS, Lines, prefixed


def prefixer(prefix: bytes, write: Callable[[bytes], None], show: Callable[[bytes], bytes] = bytes) -> Lines:
    """What writes one service's output, chunk by chunk; `show` gives whole lines their form."""
    return Lines(lambda lines: write(prefixed(prefix, show(lines))))


def prefixes(names: Sequence[str], known: Sequence[str], *, colour: bool) -> list[bytes]:
    """ "name | " for each of `names`, aligned. A service has its place among all `known` ones for a
    colour, which stays the same whichever others are shown."""
    width = max((len(name) for name in names), default=0)
    return [_prefix(name.ljust(width), known.index(name), colour) for name in names]


def _prefix(name: str, index: int, colour: bool) -> bytes:
    text = f"{name} | "
    return (f"\x1b[{COLOURS[index % len(COLOURS)]}m{text}\x1b[0m" if colour else text).encode()
