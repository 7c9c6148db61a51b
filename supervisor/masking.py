"""What looks like a secret, and what is shown in its place: the one place that knows. Pure, a leaf.

A value doesn't tell that it is secret, its name does: that of a variable, of an option or of a part of a
URL's query. Too much is masked rather than too little, for whoever needs a value asks `portsup env`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

MASK = "***"

SHORTEST = 6
"""Characters: a shorter value is left in a text, where it would be a part of innocent words."""

_FOLDERS = frozenset({"PWD"})
"""POSIX's name for the current folder; in a longer name, as MYSQL_PWD, the word means a password."""

_WORD = re.compile(
    "KEYS?|PASS|PW|PWD|AUTH|AUTHORIZATION|CREDS?"
    "|.*(?:TOKENS?|SECRETS?|(?:API|ACCESS|SECRET|PRIVATE|AUTH|SIGNING|ENCRYPTION|MASTER)KEYS?)"
    "|.*(?:PASSW|PASSPHRASE|CREDENTIAL).*"
)
"""One word of a name, in upper case. KEY counts alone or behind what is known to go with it: MONKEY and
KEYBOARD are no secrets, nor is a TOKENIZER."""

_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):(?!\d*(?:[/?#\s]|$))\S*@")
"""What stands between the first colon and the last @, unless it is a port."""
_SCHEME = re.compile(r"\b(Bearer|Basic)(\s+)\S+", re.IGNORECASE)
_NAMED = re.compile(r"([A-Za-z_][\w.-]*)=(\"[^\"]*\"|'[^']*'|[^\s&;\"']+)")
_OPTION = re.compile(r"(?<!\S)(--?[A-Za-z][\w.-]*)(\s+)([^\s-]\S*)")


def looks_secret(name: str) -> bool:
    """Whether a variable or option of that name holds a secret, as API_KEY, --db-password or authToken."""
    words = re.split("[^A-Z]+", _SEAM.sub("_", name).upper())
    return name not in _FOLDERS and any(map(_WORD.fullmatch, words))


def mask(name: str, value: str) -> str:
    """`value`, unless `name` looks secret; without what looks secret inside it."""
    return MASK if looks_secret(name) else mask_text(value)


def mask_text(text: str) -> str:
    """Without passwords in URLs, values of NAME=value and --name value, and Authorization headers."""
    text = _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", text)
    text = _SCHEME.sub(rf"\1\2{MASK}", text)
    text = _NAMED.sub(lambda found: f"{found[1]}={MASK}" if looks_secret(found[1]) else found[0], text)
    return _OPTION.sub(
        lambda found: f"{found[1]}{found[2]}{MASK}" if looks_secret(found[1]) else found[0], text
    )


def mask_command(words: Sequence[str]) -> list[str]:
    """The words of a command line, without what looks secret in them or stands behind such an option."""
    return [_mask_word(before, word) for before, word in zip(["", *words], words, strict=False)]


def _mask_word(before: str, word: str) -> str:
    if before.startswith("-") and "=" not in before and not word.startswith("-") and looks_secret(before):
        return MASK
    option, equals, _ = word.partition("=")
    if equals and option.startswith("-") and looks_secret(option):
        return f"{option}={MASK}"
    return mask_text(word)


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """The values of an environment that are to be found nowhere else."""
    return frozenset(
        value for name, value in environ.items() if len(value) >= SHORTEST and looks_secret(name)
    )


def without(text: str, secrets: Collection[str]) -> str:
    """`text` with each of `secrets` masked, the longest first: one may be a part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
