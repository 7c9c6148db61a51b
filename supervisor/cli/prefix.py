"""Lines of several services on one stream, each with its service's name before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supervisor.lines import Lines, colours, prefixed


def prefixer(prefix: bytes, write: Callable[[bytes], None], show: Callable[[bytes], bytes] = bytes) -> Lines:
    """What writes one service's output, chunk by chunk; `show` gives whole lines their form."""
    return Lines(lambda lines: write(prefixed(prefix, show(lines))))


def prefixes(names: Sequence[str], known: Sequence[str], *, colour: bool) -> list[bytes]:
    """ "name | " for each of `names`, aligned, in its colour among all `known` ones."""
    width = max((len(name) for name in names), default=0)
    of = colours(known)
    return [_prefix(name.ljust(width), of[name] if colour else None) for name in names]


def _prefix(name: str, colour: int | None) -> bytes:
    text = f"{name} | "
    return (text if colour is None else f"\x1b[{colour}m{text}\x1b[0m").encode()
