"""Lines of the control socket, near to right ones and far from them."""

from __future__ import annotations

import json
from typing import Any

from fuzzing import amounts, for_all, json_values, with_wrong_values
from hypothesis import strategies as st

from fuzz import protocol as target
from supervisor.control import protocol
from supervisor.errors import NoFreePort
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

API = ServiceSnapshot(
    name="api",
    state="BACKOFF",
    ready=False,
    pid=423,
    ports={"port": 9001, "metrics": 6050},
    pools={"port": (9000, 9001), "metrics": (6050,)},
    url="http://127.0.0.1:9001",
    shield="up",
    restarts=1,
    uptime_s=12.1,
    exit="code 1",
    reason="waits",
)
SHOP = InstanceSnapshot(
    2, "shop-2-5f3a9c", "shop", "/srv/shop/services.toml", 6100, "degraded", 411, 17.6, (API,)
)
FAILURE = NoFreePort("no free port for api in 9000-9002", details=["9000  taken"], hint="wait")

MESSAGES: list[Any] = [
    json.loads(line)
    for line in (
        protocol.request(1, "start", {"services": ["api"]}),
        protocol.request("a", "wait", {"timeout": 1.5}),
        protocol.result(1, SHOP.to_json()),
        protocol.error(1, protocol.FAILED, FAILURE.message, FAILURE),
        protocol.error(None, protocol.PARSE_ERROR, "no JSON"),
    )
]


def as_line(value: Any) -> bytes:
    return json.dumps(value).encode()


@amounts(200)
def test_nearly_right_messages(amount: int) -> None:
    """With a few values of another kind, it is understood whole or refused."""
    wrong = st.sampled_from(MESSAGES).flatmap(with_wrong_values)
    for_all(wrong.map(as_line), target.check, amount)


@amounts(100)
def test_any_line(amount: int) -> None:
    """Bytes, and JSON of every kind."""
    for_all(st.binary(max_size=200) | json_values.map(as_line), target.check, amount)


@amounts(200)
def test_messages_with_damaged_bytes(amount: int) -> None:
    """Cut off, or with bytes in between."""
    lines = st.sampled_from(MESSAGES).map(as_line)
    damaged = st.tuples(lines, st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + parts[3] :]
    )
    for_all(damaged, target.check, amount)
