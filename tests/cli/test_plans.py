"""What `check` and `why` say about a file, from a Config in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.cli import table
from supervisor.cli.check import plan_view
from supervisor.cli.why import pools_with
from supervisor.config.model import Config, RelativePool, Service, SharedPool
from supervisor.plan.plan import Plan, UnitPlan
from supervisor.plan.pool import PoolPlan

CONFIG = Config(
    path=Path("/srv/services.toml"),
    stack="qwen",
    base_port=6000,
    stride=100,
    env={},
    services=(
        Service("mcp", ("mcp",), pools=(RelativePool("port", "PORT", 0, 3),)),
        Service(
            "sandra", ("s",), pools=(RelativePool("port", "PORT", 30, 4), RelativePool("metrics", "M", 50, 2))
        ),
        Service("api", ("api",), pools=(SharedPool("port", "PORT", (9000, 9001, 9002)),)),
        Service("worker", ("w",)),
    ),
)


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (5999, []),
        (6000, [("mcp", "port", 1)]),
        (6002, [("mcp", "port", 1)]),
        (6003, []),
        (6100, [("mcp", "port", 2)]),
        (6233, [("sandra", "port", 3)]),
        (6251, [("sandra", "metrics", 3)]),
        (7902, [("mcp", "port", 20)]),
        (8000, []),
        (9000, [("api", "port", None)]),
        (9003, []),
        (1, []),
        (65535, []),
    ],
)
def test_whose_pool_a_port_is_in(port: int, found: list[tuple[str, str, int | None]]) -> None:
    """Relative pools say which instance's, shared ones are everyone's."""
    pools = pools_with(CONFIG, port)
    assert [(pool["service"], pool["pool"], pool["instance"]) for pool in pools] == found


def test_an_instance_that_cannot_be_has_no_ports() -> None:
    """With 10,000 ports for each, 5 is the last."""
    config = CONFIG._replace(stride=10_000)
    assert [pool["instance"] for pool in pools_with(config, 46_000)] == [5]
    assert pools_with(config, 56_000) == []


def test_an_unusual_instance_counts_while_it_runs() -> None:
    """Else its number is only arithmetic."""
    assert pools_with(CONFIG, 8000) == []
    (pool,) = pools_with(CONFIG, 8000, {21})
    assert (pool["service"], pool["instance"]) == ("mcp", 21)


def test_plan_as_a_table() -> None:
    """A line for each pool; a shell's command as it was written, a list quoted."""
    units = (
        UnitPlan(Service("worker", ("echo $HOME | cat",), shell=True), ()),
        UnitPlan(
            Service("web", ("run", "a b"), depends_on=("worker",)),
            (
                PoolPlan("port", "PORT", (6000, 6001), shared=False),
                PoolPlan("metrics", "METRICS_PORT", (6050,), shared=False),
            ),
        ),
    )
    plan = Plan(Path("/srv/services.toml"), "qwen", 1, 6000, {}, units)
    lines = table.render(plan_view(plan), width=table.UNLIMITED, colour=False).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["worker", "-", "-", "-", "echo", "$HOME", "|", "cat"],
        ["web", "6000-6001", "PORT", "worker", "run", "'a", "b'"],
        ["web", "(metrics)", "6050", "METRICS_PORT"],
    ]


def test_plan_keeps_its_ports_on_a_narrow_terminal() -> None:
    """At 60 columns ports are whole and nothing is wider than the terminal."""
    service = Service("a-long-name-of-a-service", ("python3", "scripts/with/a/long/path.py", "--flag"))
    unit = UnitPlan(service, (PoolPlan("port", "PORT", (9000, 9002, 9004), shared=True),))
    view = plan_view(Plan(Path("/srv/services.toml"), "qwen", 1, 6000, {}, (unit,)))
    text = table.render(view, width=60, colour=False)
    assert "9000, 9002, 9004" in text
    assert all(len(line) <= 60 for line in text.splitlines())
