"""Whether traces are wanted at all, and looks that fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from harness import no_descriptors
from stand_in import publish, record

from supervisor import paths
from supervisor.monitor.instances import Filter
from supervisor.telemetry.exporter import _Watch, is_wanted
from supervisor.telemetry.otlp import Sender
from supervisor.telemetry.spans import Span

ENDPOINT = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": ENDPOINT}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT, "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT, "OTEL_SDK_DISABLED": "0"}, True),
    ],
)
def test_traces_are_wanted_where_a_collector_is_named(environ: dict[str, str], wanted: bool) -> None:
    """As OpenTelemetry's variables are to be read: an empty one is none."""
    assert is_wanted(environ) is wanted


class Collected(Sender):
    """Sends nothing anywhere."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def send(self, trace_id: int, span: Span, common: Mapping[str, str | int]) -> None:
        self.names.append(span.name)


def test_a_look_without_descriptors(tmp_path: Path) -> None:
    """It ends nothing, no trace either: the next one tells what happened meanwhile."""
    one = record(tmp_path, logs=str(tmp_path))
    publish(tmp_path / "locks", one)
    sent = Collected()
    watch = _Watch(tmp_path / "locks", Filter(), 0, sent)

    def happened(kind: str) -> None:
        told = {"time": "2026-01-02T03:04:05+00:00", "level": "info", "event": kind, "message": kind}
        with paths.event_log(tmp_path).open("a") as log:
            log.write(json.dumps({**told, "instance_id": one.instance_id}) + "\n")

    happened("instance.claimed")
    watch.look()
    happened("instance.ready")
    with no_descriptors():
        watch.look()
    assert sent.names == []
    watch.look()
    assert sent.names == ["portsup up"]
