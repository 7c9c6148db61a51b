"""The arithmetic of instance numbers. Pure."""

from __future__ import annotations


def base_port(base: int, stride: int, instance: int) -> int:
    """base + (instance-1)·stride. Raises UsageError for a number below 1 or one whose ports pass 65535."""
    raise NotImplementedError
