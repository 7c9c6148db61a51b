"""Whether traces are wanted at all."""

from __future__ import annotations

import pytest

from supervisor.telemetry.exporter import is_wanted

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
