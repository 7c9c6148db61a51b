"""`portsup prune`: end and remove what supervisors left that died without being able to clear up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from supervisor import paths
from supervisor.cli.options import examples, json_option
from supervisor.cli.output import emit_json, emit_lines, note
from supervisor.errors import ExitCode
from supervisor.ports.prune import Pruned
from supervisor.ports.prune import prune as clear

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
    if something of this user's is still there; what is another user's is named and left alone.

    In JSON each of "leftovers" has its "kind" (process, file or socket), the "instance", "instance_id"
    and "service" that it was of, "why" it counts as left over, whose it is ("uid"), its "path" or "owner"
    (pid and start, in ticks since boot) and "command"; "gone" says whether it is, and else "kept" why it
    was left alone, or "failed" why it could not be cleared, and "hint" what to do.
    """
    found = clear(paths.lock_folder(), dry_run=dry_run)
    if as_json:
        emit_json({"schema": SCHEMA, "dry_run": dry_run, "leftovers": [one.to_json() for one in found]})
    else:
        emit_lines(_lines(found))
        note(_summary(found, dry_run))
    if any(one.unsolved for one in found) and not dry_run:
        ctx.exit(ExitCode.SERVICE_FAILED)


def _lines(found: Sequence[Pruned]) -> Iterator[str]:
    """By instance, which is named once."""
    for instance in dict.fromkeys(one.leftover.instance for one in found):
        yield f"{instance}:"
        yield from (f"  {one.line()}" for one in found if one.leftover.instance == instance)


def _summary(found: Sequence[Pruned], dry_run: bool) -> str:
    if not found:
        return "nothing to prune"
    if dry_run:
        count = sum(not one.leftover.kept for one in found)
        return f"nothing was changed; `portsup prune` clears {count} of {len(found)}"
    gone = sum(one.gone for one in found)
    return f"cleared {gone} of {len(found)}"
