"""`portsup prune`: end and remove what supervisors left that died without being able to clear up."""

from __future__ import annotations

import click

from supervisor import paths
from supervisor.cli.options import examples, json_option
from supervisor.cli.output import emit, emit_json, note, printable
from supervisor.errors import ExitCode
from supervisor.ports import prune as leftovers

SCHEMA = 1


@click.command(epilog=examples("portsup prune --dry-run", "portsup prune"))
@click.option(
    "--dry-run", is_flag=True, envvar="PORTSUP_DRY_RUN", show_envvar=True, help="Only say what would be done."
)
@json_option
@click.pass_context
def prune(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Clear what dead supervisors left behind: stale locks, sockets and processes.

    Nothing of a living supervisor's is touched, and no process that portsup did not start. Exit code 1
    if something could not be cleared.
    """
    found = leftovers.prune(paths.lock_folder(), dry_run=dry_run)
    if as_json:
        emit_json({"schema": SCHEMA, "dry_run": dry_run, "leftovers": [one.to_json() for one in found]})
    else:
        emit("".join(f"{printable(one.line())}\n" for one in found))
        if not found:
            note("nothing to prune")
    if any(not one.gone and not one.leftover.kept for one in found) and not dry_run:
        ctx.exit(ExitCode.SERVICE_FAILED)
