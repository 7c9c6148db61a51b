"""The arithmetic of instance numbers."""

from __future__ import annotations

import pytest

from supervisor.errors import ExitCode, UsageError
from supervisor.plan.instance import base_port, highest_instance


@pytest.mark.parametrize(("instance", "port"), [(1, 6000), (2, 6100), (3, 6200), (595, 65400)])
def test_each_instance_has_its_base_port(instance: int, port: int) -> None:
    """base + (instance-1)·stride."""
    assert base_port(6000, 100, instance) == port


@pytest.mark.parametrize("instance", [0, -1, 596, 10**30])
def test_an_impossible_number_is_refused(instance: int) -> None:
    """Exit 2, with the numbers that there are."""
    with pytest.raises(UsageError, match="there is no instance") as caught:
        base_port(6000, 100, instance)
    assert "595" in (caught.value.hint or "")
    assert caught.value.exit_code == ExitCode.USAGE


def test_the_last_instance_may_reach_the_last_port() -> None:
    """A stride that ends exactly at 65535 counts."""
    assert highest_instance(65436, 100) == 1
    assert highest_instance(65336, 100) == 2
    assert highest_instance(65337, 100) == 1
