"""The keys that end `portsup attach`, as they are written and as they are typed."""

from __future__ import annotations

import re
from typing import Any

import click

_KEY = re.compile(r"ctrl-(?P<control>[a-z@\[\\\]^_])|(?P<plain>[!-+\--~])", re.IGNORECASE)


class DetachKeys(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """ "ctrl-p,ctrl-q" → b"\\x10\\x11"."""

    name = "keys"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        keys = [_KEY.fullmatch(key) for key in str(value).split(",")]
        if not all(keys):
            self.fail("write keys with commas between, as ctrl-p,ctrl-q or ctrl-],x", param, ctx)
        return b"".join(_byte(key) for key in keys if key)


def _byte(key: re.Match[str]) -> bytes:
    if key["plain"]:
        return key["plain"].encode()
    return bytes([ord(key["control"].upper()) & 0x1F])


def in_words(keys: bytes) -> str:
    """ "Ctrl-P Ctrl-Q" """
    return " ".join(f"Ctrl-{chr(key | 0x40)}" if key < 0x20 else chr(key) for key in keys)


class Keys:
    """Watches for the detach keys in what is typed."""

    def __init__(self, detach: bytes) -> None:
        self._detach = detach
        self._begun = b""
        """The detach keys as far as they were typed: held back, since they are for the program if it goes on
        otherwise."""

    def typed(self, keys: bytes) -> tuple[bytes, bool]:
        """What of it is for the program, and whether the detach keys have been typed."""
        passed = bytearray()
        for key in keys:
            self._begun += bytes([key])
            while not self._detach.startswith(self._begun):
                passed.append(self._begun[0])
                self._begun = self._begun[1:]
            if self._begun == self._detach:
                return bytes(passed), True
        return bytes(passed), False
