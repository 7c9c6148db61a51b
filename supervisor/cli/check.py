"""`portsup check`: is services.toml right, and what would an instance of it be."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from supervisor import masking, paths
from supervisor.cli import stack_file
from supervisor.cli.inherit import environment
from supervisor.cli.options import examples, file_option, instance_option, json_option
from supervisor.cli.output import emit, emit_json, note, printable
from supervisor.cli.preflight import obstacles, taken_ports
from supervisor.cli.table import Cell, Column, View, show
from supervisor.cli.views import port_range
from supervisor.config import load
from supervisor.config.model import Service
from supervisor.plan.plan import Plan, UnitPlan, make_plan
from supervisor.ports.report import PortReport

SCHEMA = 1


@click.command(epilog=examples("portsup check", "portsup check --instance 3 --json"))
@instance_option(default=1)
@file_option
@json_option
def check(instance: int, file: Path | None, as_json: bool) -> None:
    """Check services.toml and show the plan for an instance, and which of its ports are taken now.

    Exit code 78 if the file is wrong. Warnings go to stderr. Values that look secret are masked.
    """
    config = load.load(stack_file.find_config(file))
    plan = make_plan(config, instance)
    warnings = [*map(str, (*config.warnings, *plan.warnings)), *obstacles(plan, environment())]
    for warning in warnings:
        note(f"warning: {warning}")
    taken = taken_ports(plan, paths.lock_folder())
    if as_json:
        emit_json(_to_json(plan, warnings, taken))
        return
    emit(
        printable(f"{plan.stack} instance {plan.instance}, base port {plan.base_port}, {plan.config}") + "\n"
    )
    show(plan_view(plan, taken))


def plan_view(plan: Plan, taken: Sequence[PortReport] = ()) -> View:
    """A line for each pool of each service, in the order in which they start; below them who has ports."""
    rows = [row for unit in plan.units for row in _rows(unit)]
    columns: list[list[Cell]] = [[Cell(row[i]) for row in rows] for i in range(5)]
    service, ports, variable, needs, command = columns
    return View(
        [
            Column("service", service, fold=True),
            Column("ports", ports),
            Column("variable", variable, drop=2),
            Column("depends on", needs, drop=1, fold=True),
            Column("command", command, drop=3, fold=True),
        ],
        ["taken now:", *(f"  {report.line()}" for report in taken)] if taken else [],
    )


def _rows(unit: UnitPlan) -> list[tuple[str, str, str, str, str]]:
    needs = ", ".join(unit.service.depends_on) or "-"
    command = _command(unit.service)
    if not unit.pools:
        return [(unit.name, "-", "-", needs, command)]
    first, *further = unit.pools
    return [
        (unit.name, port_range(first.ports), first.env, needs, command),
        *((f"{unit.name} ({pool.name})", port_range(pool.ports), pool.env, "", "") for pool in further),
    ]


def _command(service: Service) -> str:
    if service.shell:
        return masking.mask_text(service.command[0])
    return shlex.join(masking.mask_command(service.command))


def _to_json(plan: Plan, warnings: Sequence[str], taken: Sequence[PortReport]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "config": str(plan.config),
        "stack": plan.stack,
        "instance": plan.instance,
        "base_port": plan.base_port,
        "services": [_unit_to_json(unit) for unit in plan.units],
        "taken": [report.to_json() for report in taken],
        "warnings": list(warnings),
    }


def _unit_to_json(unit: UnitPlan) -> dict[str, Any]:
    service = unit.service
    return {
        "name": unit.name,
        "command": masking.mask_command(service.command),
        "shell": service.shell,
        "cwd": str(service.cwd),
        "env": {name: masking.mask(name, value) for name, value in service.env.items()},
        "pools": {
            pool.name: {"env": pool.env, "ports": list(pool.ports), "shared": pool.shared}
            for pool in unit.pools
        },
        "depends_on": list(service.depends_on),
        "ready": str(service.ready.kind),
        "restart": str(service.restart),
        "shield": str(service.shield),
        "socket": service.socket,
    }
