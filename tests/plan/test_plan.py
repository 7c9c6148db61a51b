"""Config × number → Plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from supervisor.config.model import Config, Ready, ReadyKind, RelativePool, Service, SharedPool
from supervisor.errors import UsageError
from supervisor.plan.plan import dependents_on_ports, make_plan, with_dependencies
from supervisor.plan.pool import PoolPlan


def stack(*services: Service) -> Config:
    return Config(Path("/w/services.toml"), "stack", 6000, 100, {}, services)


def needing(graph: Mapping[str, Sequence[str]]) -> Config:
    return stack(*(Service(name, ("x",), depends_on=tuple(needs)) for name, needs in graph.items()))


def test_relative_pools_move_and_shared_ones_stay() -> None:
    """Instance 3 sees its own relative ports and everyone's shared ones, in the file's order."""
    relative, shared = RelativePool("port", "PORT", 30, 4), SharedPool("web", "WEB_PORT", (9002, 9000))
    plan = make_plan(stack(Service("a", ("x",), pools=(relative, shared))), 3)
    assert (plan.instance, plan.base_port, plan.stack) == (3, 6200, "stack")
    assert plan.units[0].pools == (
        PoolPlan("port", "PORT", (6230, 6231, 6232, 6233), shared=False),
        PoolPlan("web", "WEB_PORT", (9002, 9000), shared=True),
    )


def test_an_impossible_number_makes_no_plan() -> None:
    """Instance 0 is a mistake of the command line."""
    with pytest.raises(UsageError):
        make_plan(needing({"a": ()}), 0)


@pytest.mark.parametrize(
    ("graph", "order"),
    [
        ({"c": (), "a": (), "b": ()}, "cab"),
        ({"a": ("b",), "b": ("c",), "c": ()}, "cba"),
        ({"a": ("d",), "b": (), "c": (), "d": ()}, "bcda"),
        ({"a": (), "b": ("d", "c"), "c": (), "d": ("a",)}, "acdb"),
    ],
)
def test_dependencies_come_first_else_the_files_order(graph: dict[str, Sequence[str]], order: str) -> None:
    """A service is moved back only behind what it waits for."""
    assert "".join(unit.name for unit in make_plan(needing(graph), 1).units) == order


def test_a_chain_of_thousands_has_an_order() -> None:
    """Depth costs no recursion."""
    names = [f"s{number}" for number in range(3000)]
    graph = {name: names[index + 1 : index + 2] for index, name in enumerate(names)}
    plan = make_plan(needing(graph), 1)
    assert [unit.name for unit in plan.units] == names[::-1]
    assert with_dependencies(plan, ["s0"]) == frozenset(names)


def test_with_dependencies_adds_what_is_needed() -> None:
    """Directly or not, and nothing else."""
    plan = make_plan(needing({"a": ("b",), "b": ("c",), "c": (), "d": ("c",)}), 1)
    assert with_dependencies(plan, ["a"]) == {"a", "b", "c"}
    assert with_dependencies(plan, ["d", "c"]) == {"d", "c"}
    assert with_dependencies(plan, []) == frozenset()


def test_an_unknown_service_is_a_mistake_of_the_command_line() -> None:
    """With the name that was probably meant."""
    with pytest.raises(UsageError, match='no service "wbe" in stack') as caught:
        with_dependencies(make_plan(needing({"web": ()}), 1), ["wbe"])
    assert caught.value.hint == 'did you mean "web"?'


def test_dependents_are_those_who_name_a_port() -> None:
    """In command, env or ready; not by waiting for it, by their own port, or by a longer name."""
    plan = make_plan(
        stack(
            Service("web", ("x", "${web.port}")),
            Service("by-command", ("x", "--to=${web.url}")),
            Service("by-env", ("x",), env={"A": "${port}${web.metrics.port}"}),
            Service("by-http", ("x",), ready=Ready(ReadyKind.HTTP, path="/${web.port}")),
            Service("by-exec", ("x",), ready=Ready(ReadyKind.EXEC, command=("x", "${web.port}"))),
            Service("waits", ("x",), depends_on=("web",)),
            Service("web2", ("x", "$${web.port}", "${web2.port}")),
        ),
        1,
    )
    assert dependents_on_ports(plan, "web", ["port"]) == {"by-command", "by-http", "by-exec"}
    assert dependents_on_ports(plan, "web", ["metrics"]) == {"by-env"}
    assert dependents_on_ports(plan, "waits", ["port"]) == frozenset()
