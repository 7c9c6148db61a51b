"""What a terminal may be sent of a service's output: its text and its styles. Leaf.

A terminal obeys whatever it gets. A service that clears the screen, moves the cursor, sets the title or
asks the terminal to answer would do that to its neighbours' lines and to the user's shell. Sequences are
those of ECMA-48 and of xterm's ctlseqs.
"""

from __future__ import annotations

import re

RESET = "\x1b[0m"

CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n"})

_ESCAPES = {chr(code): f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}

_ODD = re.compile(
    r"""
    [\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f] # first and in one set, so that the search passes text at full speed
    (?: (?<=\x1b) (?P<style> \[ [0-9;:]* m )                          # SGR; with > or ? it is another matter
      | (?<=\x1b) (?P<unseen>
            \[ [0-?]* [ -/]* [@-~]                                    # CSI: the cursor, erasing, modes
          | [\]PX^_] [^\x00-\x1f\x7f-\x9f]* (?: \x07 | \x1b\\ )       # OSC, DCS, SOS, PM, APC: titles, links
          | [ -/]* [0-OQ-WYZ\\`-~]                                    # the short ones: reset, charsets
        )
    )?
    """,
    re.VERBOSE,
)

_RETURNS_AT_START = re.compile(r"^\r+(?!\n)", re.MULTILINE)
_RETURNS = re.compile(r"\r+\n?")

_LEFT_ON = re.compile(r"\x1b\[ (?!0*m) [0-9;:]* m [^\x1b\n]* (?=\n)", re.VERBOSE)
"""The end of a line from its last style on, unless that is the one that ends all styles."""


def tame(lines: bytes, *, styles: bool) -> bytes:
    r"""Whole lines, each with its newline, as a terminal may get them.

    With `styles`, colours and the like stay, but never beyond the end of their line; else they are left
    out, as other complete sequences are. What else is no text is shown as an escape such as \x07. A
    carriage return, with which progress bars begin or end, ends the line.
    """
    if lines.isascii() and len(lines.translate(None, CONTROLS)) == len(lines):
        return lines
    text = _ODD.sub(_styled if styles else _plain, lines.decode("utf-8", "backslashreplace"))
    if "\r" in text:
        text = _RETURNS.sub("\n", _RETURNS_AT_START.sub("", text))
    return (_LEFT_ON.sub(rf"\g<0>{RESET}", text) if styles else text).encode()


def _styled(odd: re.Match[str]) -> str:
    return odd[0] if odd["style"] else _plain(odd)


def _plain(odd: re.Match[str]) -> str:
    return "" if odd.lastgroup else _ESCAPES[odd[0]]
