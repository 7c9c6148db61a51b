"""services.toml: plans that can be carried out, or errors that point into the file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.cli.main import render
from supervisor.config import variables
from supervisor.config.interpolate import ENV, references, templates
from supervisor.config.load import load
from supervisor.config.model import Config, RelativePool, Service, SharedPool
from supervisor.errors import ConfigError
from supervisor.plan.instance import highest_instance
from supervisor.plan.plan import Launch, Plan, UnitPlan, launch, make_common, make_plan

_DETAIL = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<text>.+)", re.DOTALL)
_PART = r'(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*")'
_KEYED = re.compile(rf"({_PART}(?:\.{_PART})*): ")


@dataclass(frozen=True)
class Reported:
    """One detail line of a ConfigError."""

    file: Path
    line: int
    key: str | None
    """None where the file isn't TOML at all."""
    text: str


def check(data: bytes) -> None:
    loaded(data)


def loaded(data: bytes, env_file: bytes = b"A=1\n") -> Config | list[Reported]:
    """What `load` makes of a services.toml with these bytes and a .env beside it. Raises AssertionError
    if that can't be used."""
    with tempfile.TemporaryDirectory(prefix="portsup-fuzz-") as name:
        file = Path(name) / "services.toml"
        file.write_bytes(data)
        (file.parent / ".env").write_bytes(env_file)
        try:
            config = load(file)
        except ConfigError as error:
            return _check_error(error, {file: data, file.parent / ".env": env_file})
    for instance in _some_instances(config):
        _check_plan(config, make_plan(config, instance))
    return config


def _check_error(error: ConfigError, files: Mapping[Path, bytes]) -> list[Reported]:
    """Every detail names a line that there is, and the whole can be shown."""
    assert error.message and error.details
    assert all(line.isprintable() for line in render(error, colour=False))
    found = [_reported(detail) for detail in error.details]
    real = {path.resolve(): data for path, data in files.items()}
    for one in found:
        # Some editors, and dotenv, end a line at a lone \r too.
        assert 1 <= one.line <= len(re.split(rb"\r\n|\n|\r", real[one.file])), error.details
    return found


def _reported(detail: str) -> Reported:
    parts = _DETAIL.fullmatch(detail)
    assert parts is not None, detail
    keyed = _KEYED.match(parts["text"])
    return Reported(Path(parts["file"]), int(parts["line"]), keyed and keyed[1], parts["text"])


def _some_instances(config: Config) -> list[int]:
    highest = highest_instance(config.base_port, config.stride)
    assert highest >= 1
    return sorted({1, min(2, highest), (highest + 1) // 2, highest})


def _check_plan(config: Config, plan: Plan) -> None:
    assert len(plan.units) == len(config.services) > 0
    _check_ports(config, plan)
    claimed = {unit.name: {pool.name: pool.ports[-1] for pool in unit.pools} for unit in plan.units}
    for unit in plan.units:
        environ = dict.fromkeys(_named_variables(unit.service), "set")
        common = make_common(plan, claimed, instance_id="x-1", data_dir=Path("/data"), environ=environ)
        filled = launch(plan, unit, common)
        _check_launch(unit.service, filled)
        _check_carriers(unit, claimed[unit.name], filled)


def _check_ports(config: Config, plan: Plan) -> None:
    """Every port inside its pool and its instance; no two pools overlap but where a warning says so."""
    relative: list[int] = []
    shared: list[int] = []
    for pool, ports in _pools(config, plan):
        assert ports and all(1 <= port <= 65535 for port in ports)
        if isinstance(pool, SharedPool):
            assert ports == pool.ports
            shared += ports
        else:
            first = plan.base_port + pool.offset
            assert ports == tuple(range(first, first + pool.size))
            assert ports[-1] < plan.base_port + config.stride
            relative += ports
    assert len({*relative}) == len(relative) and len({*shared}) == len(shared)
    if not {*relative}.isdisjoint(shared):
        assert plan.instance > 1
        assert any(problem.message.startswith("overlaps ") for problem in plan.warnings)


def _pools(config: Config, plan: Plan) -> Iterator[tuple[RelativePool | SharedPool, tuple[int, ...]]]:
    services = {service.name: service for service in config.services}
    for unit in plan.units:
        for pool, planned in zip(services[unit.name].pools, unit.pools, strict=True):
            assert (pool.name, pool.env) == (planned.name, planned.env)
            yield pool, planned.ports


def _named_variables(service: Service) -> list[str]:
    """Those of the environment that its texts name."""
    named = [name for _, text in templates(service) for name in references(text)]
    return [name.removeprefix(ENV) for name in named if name.startswith(ENV)]


def _check_launch(service: Service, filled: Launch) -> None:
    """All that the kernel is handed can be handed to it, and nothing is left to be filled in."""
    assert filled.argv and filled.cwd.is_absolute()
    for name, value in filled.set_here.items():
        assert name and "=" not in name and "\0" not in name + value
    for text in (*filled.argv, *filled.ready.command, *filled.set_here.values()):
        assert "\0" not in text
        text.encode()
    for template, text in _filled(service, filled):
        assert "$$" in template or "${" not in text


def _filled(service: Service, filled: Launch) -> Iterator[tuple[str, str]]:
    """Each template, and what became of it."""
    yield from zip(service.command, filled.argv, strict=True)
    yield from zip(service.ready.command, filled.ready.command, strict=True)
    yield service.ready.path, filled.ready.path
    for name, template in service.env.items():
        assert variables.is_name(name)
        yield template, filled.set_here[name]


def _check_carriers(unit: UnitPlan, claimed: Mapping[str, int], filled: Launch) -> None:
    """Each pool has a variable of its own, with the port that was claimed."""
    for pool in unit.pools:
        assert filled.set_here[pool.env] == str(claimed[pool.name])
