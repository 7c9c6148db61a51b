"""What one check of `portsup doctor` finds."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """portsup works, and not all of what it promises holds."""
    FAIL = "fail"
    """Something can't work."""


class Finding(NamedTuple):
    """One line of the report."""

    check: str
    verdict: Verdict
    message: str
    """What is so, and what it means."""
    advice: str | None = None
    """What to do, in words."""
    command: str | None = None
    """A shell's command that does it."""

    def line(self) -> str:
        parts = [
            f"{self.verdict:4}  {self.check}: {self.message}",
            self.advice,
            self.command and f"run: {self.command}",
        ]
        return "; ".join(part for part in parts if part)


def ok(check: str, message: str) -> Finding:
    return Finding(check, Verdict.OK, message)


def warn(check: str, message: str, advice: str | None = None, command: str | None = None) -> Finding:
    return Finding(check, Verdict.WARN, message, advice, command)


def fail(check: str, message: str, advice: str | None = None, command: str | None = None) -> Finding:
    return Finding(check, Verdict.FAIL, message, advice, command)


def as_root(command: str) -> str:
    """`command` for whoever reads this, who may be root."""
    return command if os.geteuid() == 0 else f"sudo {command}"
