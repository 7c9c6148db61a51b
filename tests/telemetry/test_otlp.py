"""What the SDK makes of spans: ids, parents and sampling as they were decided elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from trace_collector import collecting

from supervisor.telemetry.otlp import Sender
from supervisor.telemetry.spans import ROOT, Moment, Span

BELOW_HALF, ABOVE_HALF = 0x1, (1 << 128) - 1
"""Trace ids, by which a sampler of one half decides."""


def span(name: str, id_: int, parent: int | None, **changes: Any) -> Span:
    base = Span(name, id_, parent, 1_000_000, 2_000_000, {"portsup.service": "a"}, (), None, True)
    return base._replace(**changes)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio", None])
def test_a_trace_is_sent_as_a_whole_or_not_at_all(
    ports_block: int, monkeypatch: pytest.MonkeyPatch, sampler: str | None
) -> None:
    """Whatever the sampler says of the root counts for what is below it; and each span arrives as it was."""
    if sampler is not None:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    with collecting(ports_block) as collector:
        for name, value in collector.variables.items():
            monkeypatch.setenv(name, value)
        told: list[str] = []
        sender = Sender(told.append)
        for trace in (BELOW_HALF, ABOVE_HALF):
            failed = span(
                "start a", 6, 5, error="ended with code 3", moments=(Moment(1_500_000, "unit.log", "x"),)
            )
            sender.send(trace, failed, {"portsup.instance": 1})
            sender.send(trace, span(ROOT, 5, None), {"portsup.instance": 1})
        sender.close()
    sent = {BELOW_HALF} if sampler else {BELOW_HALF, ABOVE_HALF}
    found = [
        (int.from_bytes(one.trace, "big"), one.id[-1], one.parent[-1:], one.error) for one in collector.spans
    ]
    assert sorted(found) == sorted(
        entry for trace in sent for entry in [(trace, 6, b"\x05", "ended with code 3"), (trace, 5, b"", None)]
    )
    child = collector.named("start a")[0]
    assert (child.start, child.end, child.events) == (1_000_000, 2_000_000, ["unit.log"])
    assert child.attributes == {"portsup.instance": 1, "portsup.service": "a"}
    assert told == []
