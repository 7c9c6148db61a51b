"""The arithmetic of instance numbers. Pure."""

from __future__ import annotations

from supervisor.errors import UsageError

PORTS = 65536


def base_port(base: int, stride: int, instance: int) -> int:
    """base + (instance-1)·stride. Raises UsageError for a number below 1 or one whose ports pass 65535."""
    highest = highest_instance(base, stride)
    if instance < 1:
        raise UsageError(f"there is no instance {instance}", hint=f"instances are numbered 1 to {highest}")
    if instance > highest:
        raise UsageError(
            f"there is no instance {instance}: its ports would run past {PORTS - 1}",
            hint=f"with base_port {base} and stride {stride} the last one is {highest}",
        )
    return base + (instance - 1) * stride


def highest_instance(base: int, stride: int) -> int:
    """The last number whose whole stride lies in 1-65535."""
    return (PORTS - base) // stride
