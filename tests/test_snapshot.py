"""The frozen view, and its JSON as DESIGN §7 has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot, document

DESIGN_EXAMPLE = """
{"schema": 1, "instances": [{"instance": 2, "instance_id": "qwen-valencia-2-5f3a9c", "stack": "qwen-valencia",
  "config": "/path/services.toml", "base_port": 6100, "state": "running",
  "supervisor": {"pid": 411, "started": 1764.2},
  "services": [{"name": "api-server", "state": "RUNNING", "ready": true, "pid": 423, "port": 9001,
    "ports": {"port": 9001}, "pools": {"port": [9000, 9001, 9002]}, "url": "http://127.0.0.1:9001",
    "shield": "up", "restarts": 0, "uptime_s": 12.1, "exit": null, "reason": null}]}]}
"""

text = st.text(max_size=20)
port = st.integers(1, 65535)
services = st.builds(
    ServiceSnapshot,
    name=text,
    state=text,
    ready=st.booleans(),
    pid=st.none() | st.integers(1),
    ports=st.dictionaries(text, port),
    pools=st.dictionaries(text, st.lists(port).map(tuple)),
    url=st.none() | text,
    shield=text,
    restarts=st.integers(0),
    uptime_s=st.none() | st.integers(0, 10**9).map(lambda tenths: tenths / 10),
    exit=st.none() | text,
    reason=st.none() | text,
)
instances = st.builds(
    InstanceSnapshot,
    instance=st.integers(1),
    instance_id=text,
    stack=text,
    config=text,
    base_port=port,
    state=text,
    supervisor_pid=st.integers(1),
    supervisor_started=st.floats(0, 1e9),
    services=st.lists(services, max_size=3).map(tuple),
)


def design_example() -> dict[str, Any]:
    example: dict[str, Any] = json.loads(DESIGN_EXAMPLE)
    return example


def test_design_example_is_the_document() -> None:
    """The example of DESIGN §7, read and written again, is itself, down to the order of the keys."""
    example = design_example()
    read = [InstanceSnapshot.from_json(instance) for instance in example["instances"]]
    assert json.dumps(document(read)) == json.dumps(example)


@given(instances)
def test_round_trip(instance: InstanceSnapshot) -> None:
    """What goes over the control socket comes out the same."""
    assert InstanceSnapshot.from_json(json.loads(json.dumps(instance.to_json()))) == instance


def test_uptime_is_rounded_to_tenths() -> None:
    """An uptime is for reading, not for measuring."""
    example = design_example()["instances"][0]["services"][0] | {"uptime_s": 1.26}
    assert ServiceSnapshot.from_json(example).to_json()["uptime_s"] == 1.3


def test_worker_has_no_port() -> None:
    """A unit without a pool says null for its port, and no ports."""
    example = design_example()["instances"][0]["services"][0] | {"ports": {}, "pools": {}, "url": None}
    worker = ServiceSnapshot.from_json(example).to_json()
    assert (worker["port"], worker["ports"], worker["pools"]) == (None, {}, {})


@pytest.mark.parametrize("missing", ["name", "state", "ports", "shield"])
def test_incomplete_service_is_refused(missing: str) -> None:
    """A peer's JSON without a field is an error that callers can catch, not a half-filled snapshot."""
    example = design_example()["instances"][0]["services"][0]
    del example[missing]
    with pytest.raises(ValueError, match=f"has no {missing}"):
        ServiceSnapshot.from_json(example)
