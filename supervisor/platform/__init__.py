"""The operating system, behind one contract. The only place that looks at `sys.platform`."""

from __future__ import annotations

import sys

from supervisor.platform.contract import Listener, ListenerTable, Owner, Platform, Process

os_facts: Platform
if sys.platform == "linux":
    from supervisor.platform import linux

    os_facts = linux.Linux()
else:
    from supervisor.platform import posix

    os_facts = posix.Posix()

__all__ = ["Listener", "ListenerTable", "Owner", "Platform", "Process", "os_facts"]
