"""Claiming an instance number: the one that was asked for, this worktree's last one, or the lowest free."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from supervisor import paths
from supervisor.cli.order import Wish
from supervisor.cli.worktree import last_instance
from supervisor.config.model import Config
from supervisor.errors import InstanceTaken
from supervisor.plan.instance import highest_instance
from supervisor.plan.plan import Plan, make_plan
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.lock import LockFolder
from supervisor.ports.reserve import InstanceClaim, claim_instance
from supervisor.records import InstanceRecord


class Claimed(NamedTuple):
    plan: Plan
    claim: InstanceClaim


def claim_number(config: Config, wish: Wish, folder: LockFolder, *, spare_own: bool = False) -> Claimed:
    """`spare_own`: of the free numbers, leave the worktree's own one to `portsup up`.

    Raises InstanceTaken, with who has it; UsageError for a number whose ports pass 65535.
    """
    if isinstance(wish, int):
        return _claim(config, wish, folder)
    if wish is None:
        _refuse_second(config)
    for number in _candidates(config, wish, spare_own):
        try:
            return _claim(config, number, folder)
        except InstanceTaken:
            if wish is None:
                _refuse_second(config)  # it may be an `up` in this very worktree that was quicker
    raise AssertionError("make_plan refuses a number that is too high before the candidates end")


def _candidates(config: Config, wish: Wish, spare_own: bool) -> Iterator[int]:
    last = last_instance(config) if wish is None or spare_own else None
    if wish is None and last is not None and last <= highest_instance(config.base_port, config.stride):
        yield last
    yield from (number for number in count(1) if not (spare_own and number == last))


def _refuse_second(config: Config) -> None:
    """Without `-i`, a worktree has one instance: a second `up` is more likely a slip than a wish."""
    from supervisor.cli import target
    from supervisor.control import client

    for record in target.of_worktree(config.path):
        if not client.is_dead(record):
            raise InstanceTaken(
                f"instance {record.instance} of this worktree is already up",
                details=[target.describe(record)],
                hint="see `portsup status`; `portsup up -i auto` starts one more",
            )


def _claim(config: Config, number: int, folder: LockFolder) -> Claimed:
    plan = make_plan(config, number)
    return Claimed(plan, claim_instance(folder, new_record(plan)))


def new_record(plan: Plan) -> InstanceRecord:
    """What is written where this process claims the plan's number."""
    instance_id = _new_id(plan.stack, plan.instance)
    own_folder = paths.instance_folder(plan.config, plan.stack, plan.instance)
    return InstanceRecord(
        stack=plan.stack,
        config=str(plan.config),
        instance=plan.instance,
        instance_id=instance_id,
        supervisor=_us(),
        uid=os.getuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=time.time(),
        base_port=plan.base_port,
        socket=str(paths.socket_path(instance_id)),
        logs=str(paths.log_folder(own_folder)),
    )


def in_our_name(record: InstanceRecord) -> InstanceRecord:
    """A record for the same number, where this process claims it."""
    instance_id = _new_id(record.stack, record.instance)
    return record._replace(
        instance_id=instance_id,
        supervisor=_us(),
        uid=os.getuid(),
        acquired_at=time.time(),
        socket=str(paths.socket_path(instance_id)),
    )


def _new_id(stack: str, instance: int) -> str:
    return f"{stack}-{instance}-{os.urandom(3).hex()}"


def _us() -> Owner:
    owner = os_facts.owner(os.getpid())
    assert owner is not None, "we live"
    return owner
