"""The token that whoever changes something over HTTP must show.

Every user of the machine can reach a port of the loopback address, and so can each web page that this
user opens. The token lies in a file that only this user can read; who removes it gets a new one.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from supervisor import private
from supervisor.errors import PortsupError

RANDOM_BYTES = 32

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{43}")
"""What token_urlsafe makes of so many."""


class TokenFileError(PortsupError):
    """The file can't be trusted, read or made."""


class UnauthorizedError(PortsupError):
    """The request shows no token, or another one."""


def check(file: Path, authorizations: Sequence[bytes]) -> None:
    """`authorizations` are the request's headers of that name.

    Raises UnauthorizedError, with where the token is to be found; TokenFileError.
    """
    token = current(file)
    shown = authorizations[0] if len(authorizations) == 1 else b""
    scheme, _, credentials = shown.partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(credentials.strip(), token):
        raise UnauthorizedError(
            f"this needs the token in {file}", hint="send it in a header: Authorization: Bearer TOKEN"
        )


def current(file: Path) -> bytes:
    """The token in `file`, which is made if it is missing. Raises TokenFileError with the reason."""
    try:
        return _read(file)
    except FileNotFoundError:
        _make(file)
    try:
        return _read(file)
    except FileNotFoundError as error:
        raise _unusable(file, "it was removed at this moment") from error


def _read(file: Path) -> bytes:
    try:
        # A pipe isn't waited for, and a link not followed.
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(file, private.NO_FILE.get(error.errno or 0, error.strerror)) from error
    try:
        _check_file(file, os.fstat(descriptor))
        token = os.read(descriptor, 1024).strip()
    finally:
        os.close(descriptor)
    if not _TOKEN.fullmatch(token):
        raise _unusable(file, "it holds no token")
    return token


def _check_file(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(file, "it is not a file")
    if found.st_uid != os.getuid():
        raise _unusable(file, f"it belongs to uid {found.st_uid}")
    if found.st_mode & 0o077:
        raise _unusable(file, f"others may read or write it (mode {stat.S_IMODE(found.st_mode):04o})")


def _make(file: Path) -> None:
    """Written under another name first: two servers that start at once agree on one, and a whole one."""
    try:
        private.make_state_folder()
        new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with open(new, "x", encoding="ascii", opener=private.open_private) as opened:
            opened.write(secrets.token_urlsafe(RANDOM_BYTES) + "\n")
        try:
            os.link(new, file)
        except FileExistsError:
            pass  # another server was quicker
        finally:
            new.unlink()
    except OSError as error:
        raise _unusable(file, error.strerror) from error


def _unusable(file: Path, why: str | None) -> TokenFileError:
    return TokenFileError(
        f"cannot use {file} as the API's token: {why}",
        hint="remove it: `portsup serve` makes a new one",
    )
