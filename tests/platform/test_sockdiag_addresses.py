"""Addresses as /proc/net/tcp prints them."""

from __future__ import annotations

import socket
import sys

import pytest

from supervisor.platform.sockdiag import _address

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the samples are little-endian")


@little_endian
@pytest.mark.parametrize(
    ("family", "text", "address"),
    [
        (socket.AF_INET, "00000000", "0.0.0.0"),
        (socket.AF_INET, "0100007F", "127.0.0.1"),
        (socket.AF_INET6, "0" * 32, "::"),
        (socket.AF_INET6, "00000000000000000000000001000000", "::1"),
        (socket.AF_INET6, "000080FE00000000000000000100A8C0", "fe80::c0a8:1"),
    ],
)
def test_addresses(family: int, text: str, address: str) -> None:
    """Each 32-bit word is in the machine's byte order, the words are in the network's."""
    assert _address(family, text) == address
