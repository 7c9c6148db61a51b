"""What an instance would meet if it were started here and now. Looks, and claims nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from supervisor import masking, paths
from supervisor.errors import ConfigError
from supervisor.plan.plan import Launch, Plan, launch, make_common
from supervisor.platform import os_facts
from supervisor.ports.owner import inspect
from supervisor.ports.report import Holding, PortReport
from supervisor.records import port_file


def obstacles(plan: Plan, environ: Mapping[str, str]) -> Iterator[str]:
    """What would keep a service from being started from here: a variable or a program that isn't there."""
    first_ports = {unit.name: {pool.name: pool.ports[0] for pool in unit.pools} for unit in plan.units}
    data_dir = paths.data_folder(paths.instance_folder(plan.config, plan.stack, plan.instance))
    common = make_common(plan, first_ports, instance_id="", data_dir=data_dir, environ=environ)
    for unit in plan.units:
        try:
            prepared = launch(plan, unit, common)
        except ConfigError as error:
            yield f"{error.message} ({error.hint})"
            continue
        if not unit.service.shell and not _finds_program(prepared):
            where = f"in {prepared.cwd}" if "/" in prepared.argv[0] else "on its PATH"
            # As it was written: what is filled in may be secret.
            program = masking.mask_text(unit.service.command[0])
            yield f"cannot start {unit.name}: there is no program {program!r} {where}"


def _finds_program(prepared: Launch) -> bool:
    """By the rules of the spawn: a path, and a folder of PATH, is relative to the service's own folder."""
    program = prepared.argv[0]
    folders = [Path()] if "/" in program else [Path(folder) for folder in os.get_exec_path(prepared.env)]
    return any(shutil.which(prepared.cwd / folder / program) for folder in folders)


def taken_ports(plan: Plan, locks: Path) -> list[PortReport]:
    """Those ports of the plan that somebody has at this moment; it may be this very instance."""
    ports = [port for unit in plan.units for pool in unit.pools for port in pool.ports]
    listening = {listener.port for listener in os_facts.listeners(ports)}
    suspects = [port for port in ports if port in listening or port_file(locks, port).exists()]
    reports = [inspect(locks, port) for port in suspects]
    return [report for report in reports if report.holding is not Holding.FREE]
