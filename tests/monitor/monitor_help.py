"""What tests of monitor/ share: snapshots of nobody, and what they have to say."""

from __future__ import annotations

from typing import Any

from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot


def service(name: str, **fields: Any) -> ServiceSnapshot:
    one = ServiceSnapshot(
        name=name,
        state="RUNNING",
        ready=True,
        pid=None,
        ports={},
        pools={},
        url=None,
        shield="none",
        restarts=0,
        uptime_s=1.0,
        exit=None,
        reason=None,
    )
    return one._replace(**fields)


def instance(*services: ServiceSnapshot, **fields: Any) -> InstanceSnapshot:
    one = InstanceSnapshot(
        instance=1,
        instance_id="test-1-abc123",
        stack="test",
        config="/work/test/services.toml",
        base_port=6000,
        state="running",
        supervisor_pid=1,
        supervisor_started=0.0,
        services=services,
    )
    return one._replace(**fields)
