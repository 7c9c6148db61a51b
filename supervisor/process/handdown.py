"""A child that gets a listening socket, by the convention of sd_listen_fds(3): descriptor 3, and its own
pid in LISTEN_PID, which nobody knows before it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from supervisor.config.variables import LISTEN_PID
from supervisor.plan.plan import LISTEN_FDS_START


def receiver(listening_fd: int, env: Mapping[str, str]) -> Callable[[], None]:
    """What the child does between fork and exec, as Popen's preexec_fn with env=None. Raises ValueError if
    `env` holds what can't be passed on.

    This is Python code after a real fork, in which only the calling thread goes on. It takes no lock that
    another one could hold: it imports nothing, and no other thread here ever changes the environment.
    Nor does any library here set variables that os.environ doesn't know, and that would stay.
    """
    variables = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    if any(b"\0" in text for pair in variables.items() for text in pair):
        raise ValueError("embedded null byte")

    def receive() -> None:
        os.dup2(listening_fd, LISTEN_FDS_START)
        os.environb.clear()
        os.environb.update(variables)
        os.environb[LISTEN_PID.encode()] = b"%d" % os.getpid()

    return receive
