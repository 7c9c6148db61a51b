"""Traces of `portsup serve`, as a collector gets them; and one that takes none."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness import COMMAND, Home, Portsup, wait_until, write_stack
from stand_in import publish, record
from trace_collector import Collector, Received, collecting
from web_help import Api, greeting, serving

from supervisor import paths
from supervisor.loopback.serving import FULL
from supervisor.records import InstanceRecord
from supervisor.telemetry.exporter import LOOK_EVERY
from supervisor.telemetry.otlp import NOT_TAKEN

pytestmark = pytest.mark.slow

CRASHES_ONCE = """
import pathlib, signal, sys
mark = pathlib.Path(sys.argv[1])
if not mark.exists():
    mark.touch()
    sys.exit(3)
signal.pause()
"""

SECRET = "hunter2-hunter2"

NOT_THERE = """raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")"""
"""What stands before the real one."""


def end(api: Api) -> tuple[int, str]:
    """Exit code and what it said beside the greeting, after SIGTERM; in bounded time."""
    api.process.terminate()
    _, err = api.process.communicate(timeout=15)
    return api.process.returncode, err


def ends(collector: Collector, *names: str) -> Callable[[], bool]:
    return lambda: all(collector.named(name) for name in names)


def test_an_instance_from_its_start_to_its_end(
    portsup: Portsup, portsup_home: Home, ports_block: int, tmp_path: Path
) -> None:
    """Names, parents, times, outcomes and ids; also from a second server that comes late. No secret."""
    command = [sys.executable, "-I", "-S", "-c", CRASHES_ONCE, str(tmp_path / "mark")]
    flaky = {
        "command": command,
        "depends_on": ["api"],  # so that it crashes when all are ready
        "env": {"API_TOKEN": SECRET},
        "backoff": {"initial": "10ms"},
    }
    write_stack(
        tmp_path,
        {"api": {"pool": {"offset": 0, "size": 2}}, "flaky": flaky},
        base_port=ports_block,
        name="shop",
    )
    with collecting(ports_block + 500) as collector:
        variables = {**collector.variables, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=ci"}
        with serving(portsup_home, ports_block + 501, **variables) as first:
            assert portsup.run("up", "-d", "--wait").returncode == 0
            wait_until(ends(collector, "portsup up", "restart flaky"), 10, "the start")
            with serving(portsup_home, ports_block + 502, **variables, OTEL_SERVICE_NAME="late") as second:
                wait_until(lambda: len(collector.named("portsup up")) == 2, 10, "the second server")
                assert end(second) == (0, greeting(portsup_home))
            service = portsup.service(1, "api")
            assert portsup.run("down").returncode == 0
            wait_until(ends(collector, "stop instance"), 10, "the end")
            assert end(first) == (0, greeting(portsup_home))
    _check_twice(collector)
    _check_tree({span.id: span for span in collector.spans})
    (start,) = {span.id: span for span in collector.named("start api")}.values()
    assert start.attributes["process.pid"] == service["pid"]
    assert start.attributes["server.port"] == service["port"]
    assert start.attributes["portsup.stack"] == "shop"
    assert collector.spans[0].resource.items() >= {
        ("service.name", "portsup"),
        ("deployment.environment", "ci"),
    }
    assert not [body for body in collector.bodies if SECRET.encode() in body]


def _check_twice(collector: Collector) -> None:
    """What both servers sent has one id; what ended before the second began was sent by the first alone."""
    first, second = collector.named("portsup up")
    assert (first.id, first.trace, first.start) == (second.id, second.trace, second.start)
    assert second.resource["service.name"] == "late"
    assert len(collector.named("restart flaky")) == 1


def _check_tree(spans: Mapping[bytes, Received]) -> None:
    assert len({span.trace for span in spans.values()}) == 1
    names = {span.id: span.name for span in spans.values()} | {b"": None}
    assert sorted((span.name, str(names[span.parent]), span.error) for span in spans.values()) == [
        ("portsup up", "None", None),
        ("restart flaky", "portsup up", None),
        ("start api", "portsup up", None),
        ("start flaky", "portsup up", None),
        ("start flaky", "restart flaky", None),
        ("stop api", "stop instance", None),
        ("stop flaky", "restart flaky", "ended with code 3"),
        ("stop flaky", "stop instance", None),
        ("stop instance", "portsup up", None),
    ]
    for span in spans.values():
        assert 0 < span.start <= span.end <= time.time_ns()
        above = spans.get(span.parent)
        if above is not None:
            assert above.start <= span.start
        if above is not None and (
            above.parent or span.name == "start api"
        ):  # the root is over before the rest
            assert span.end <= above.end


def happened(logs: Path, one: InstanceRecord, kind: str, service: str | None = None, **fields: Any) -> None:
    """One more line of its event log, of now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = {"time": now, "level": "info", "event": kind, "message": kind, "instance_id": one.instance_id}
    logs.mkdir(parents=True, exist_ok=True)
    with paths.event_log(logs).open("a") as log:
        log.write(json.dumps({**entry, **({"service": service} if service else {}), **fields}) + "\n")


def instance(home: Home, number: int) -> tuple[Path, InstanceRecord]:
    """One that is there, by its record and its event log: its start is told."""
    logs = home.folder / "logs" / str(number)
    one = record(home.folder, number, logs=str(logs))
    publish(home.locks, one)
    happened(logs, one, "instance.claimed")
    happened(logs, one, "unit.starting", "a", reason=None)
    happened(logs, one, "unit.running", "a", reason=None)
    return logs, one


def test_a_service_tells_of_its_own_instance(portsup_home: Home, ports_block: int) -> None:
    """Not of the neighbour; and what it hasn't sent by then it sends when it is stopped."""
    (logs, one), _ = instance(portsup_home, 1), instance(portsup_home, 2)
    with collecting(ports_block) as collector:
        own = {
            **collector.variables,
            "PORTSUP_INSTANCE_ID": one.instance_id,
            "OTEL_EXPORTER_OTLP_HEADERS": "a=b",
        }
        with serving(portsup_home, ports_block + 1, **own) as api:
            wait_until(ends(collector, "start a"), 10, "the first span")
            happened(logs, one, "instance.ready")
            happened(logs, one, "unit.stopping", "a", reason=None)
            happened(logs, one, "unit.stopped", "a", reason=None)
            assert end(api) == (0, greeting(portsup_home))
    assert [span.name for span in collector.spans] == ["start a", "portsup up", "stop a"]
    assert {span.attributes["portsup.instance.id"] for span in collector.spans} == {one.instance_id}
    assert collector.headers[0]["a"] == "b"


def test_a_collector_that_is_down(portsup_home: Home, ports_block: int) -> None:
    """One line is said of it, however often it fails; the server serves, and ends when it is told to."""
    logs, one = instance(portsup_home, 1)
    down = Collector(ports_block).variables | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with serving(portsup_home, ports_block + 1, **down, OTEL_EXPORTER_OTLP_HEADERS=SECRET) as api:
        assert api.process.stderr is not None
        said = {api.process.stderr.readline() for _ in range(2)}
        for _ in range(2):
            happened(logs, one, "unit.stopping", "a", reason=None)
            happened(logs, one, "unit.stopped", "a", reason=None)
        assert api.json("/api/health")[0] == 200
        code, rest = end(api)
    assert said == {greeting(portsup_home), f"portsup: {NOT_TAKEN}\n"}
    assert (code, rest) == (0, "")


def test_a_collector_that_never_answers(portsup_home: Home, ports_block: int) -> None:
    """The server serves meanwhile, and doesn't wait for it in the end."""
    instance(portsup_home, 1)
    with collecting(ports_block, answers=False) as collector:
        slow = {**collector.variables, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        with serving(portsup_home, ports_block + 1, **slow) as api:
            assert collector.asked.wait(10)
            assert api.json("/api/health")[0] == 200
            assert end(api) == (0, greeting(portsup_home))


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        (
            {"PYTHONPATH": "{shadow}"},
            "cannot export traces: opentelemetry is not installed; install its extra: pip install '.[otel]'",
        ),
        (
            {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9999"},
            "cannot export traces: max_export_batch_size must be",
        ),
    ],
    ids=["no extra", "a setting that can't be"],
)
def test_it_serves_all_the_same(
    portsup_home: Home, ports_block: int, tmp_path: Path, variables: Mapping[str, str], warning: str
) -> None:
    """Without what the traces need: a warning says so."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text(NOT_THERE)
    given = {name: value.format(shadow=tmp_path) for name, value in variables.items()}
    with serving(portsup_home, ports_block, **Collector(ports_block + 1).variables, **given) as api:
        assert api.process.stderr is not None
        said = {api.process.stderr.readline() for _ in range(2)} - {greeting(portsup_home)}
        assert api.json("/api/health")[0] == 200
        assert end(api) == (0, "")
    (line,) = said
    assert line.startswith(f"portsup: warning: {warning}")


FEW = 64

FEW_DESCRIPTORS = ("sh", "-c", f'ulimit -n {FEW}; exec "$0" "$@"', *COMMAND)


def test_no_descriptor_is_left(portsup_home: Home, ports_block: int) -> None:
    """Whoever opens so many connections can't fill the log, and when they are gone all goes on."""
    logs, one = instance(portsup_home, 1)
    with collecting(ports_block) as collector, contextlib.ExitStack() as opened:
        often = {**collector.variables, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with serving(portsup_home, ports_block + 1, through=FEW_DESCRIPTORS, **often) as api:
            wait_until(ends(collector, "start a"), 10, "the first span")
            for _ in range(FEW + 20):
                opened.enter_context(socket.create_connection(("127.0.0.1", ports_block + 1)))
            assert api.process.stderr is not None
            assert api.process.stderr.readline() == greeting(portsup_home)
            assert api.process.stderr.readline() == f"{FULL}\n"
            looked = time.monotonic() + 1.5 * LOOK_EVERY
            wait_until(lambda: time.monotonic() > looked, 10, "a look at the logs, which fails")
            opened.close()
            happened(logs, one, "instance.ready")
            wait_until(ends(collector, "portsup up"), 10, "the next span")
            code, rest = end(api)
    assert code == 0 and "Traceback" not in rest, rest
    assert rest.count("\n") < 10
