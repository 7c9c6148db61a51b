"""What holds for every valid services.toml and every number."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.config.load import load
from supervisor.config.model import Config
from supervisor.plan.instance import highest_instance
from supervisor.plan.plan import make_plan


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Right by construction: relative pools one after the other, shared ones out of their way."""
    stride = draw(st.integers(30, 300))
    base = draw(st.integers(1, 65536 - stride))
    names = draw(st.permutations([f"s{number}" for number in range(draw(st.integers(1, 4)))]))
    free = st.integers(1, 65535).filter(lambda port: not base <= port < base + stride)
    shared = draw(st.lists(free, min_size=len(names), max_size=12, unique=True))
    services: dict[str, Any] = {}
    offset = 0
    for place, name in enumerate(names):
        size = draw(st.integers(1, 4))
        offset += draw(st.integers(0, 3))
        services[name] = {
            "command": "x",
            "pool": {"offset": offset, "size": size},
            "pools": {"all": {"ports": shared[place :: len(names)]}},
            "depends_on": draw(st.lists(st.sampled_from(names[:place]), max_size=2)) if place else [],
        }
        offset += size
    order = draw(st.permutations(names))
    return {
        "stack": {"base_port": base, "stride": stride},
        "services": {name: services[name] for name in order},
    }


def loaded(document: dict[str, Any]) -> Config:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "services.toml"
        file.write_text(tomli_w.dumps(document))
        return load(file)


def ports(config: Config, instance: int, *, shared: bool) -> list[int]:
    plan = make_plan(config, instance)
    return [
        port for unit in plan.units for pool in unit.pools if pool.shared is shared for port in pool.ports
    ]


@settings(max_examples=300)
@given(documents(), st.data())
def test_instances_never_meet_on_a_relative_port(document: dict[str, Any], data: st.DataObject) -> None:
    """Two instances share no relative port, one has none twice, and all lie in 1-65535."""
    config = loaded(document)
    highest = highest_instance(config.base_port, config.stride)
    one, two = data.draw(st.integers(1, highest)), data.draw(st.integers(1, highest))
    mine, others = ports(config, one, shared=False), ports(config, two, shared=False)
    shared = ports(config, one, shared=True)
    assert len(set(mine)) == len(mine)
    assert len(set(shared)) == len(shared)
    assert one == two or not set(mine) & set(others)
    assert all(1 <= port <= 65535 for port in [*mine, *others, *shared])
    assert not set(ports(config, 1, shared=False)) & set(shared)


@given(documents())
def test_dependencies_stand_before_their_dependents(document: dict[str, Any]) -> None:
    """In every plan that can be made."""
    config = loaded(document)
    seen: set[str] = set()
    for unit in make_plan(config, 1).units:
        assert seen.issuperset(unit.service.depends_on)
        seen.add(unit.name)
