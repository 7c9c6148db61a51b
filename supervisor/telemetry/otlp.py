"""Spans to a collector, by OpenTelemetry's SDK: OTLP over HTTP, set up by its standard variables.

Everything here is the SDK's public interface. It asks its id generator for the ids of what it starts, and
is told the ones that the spans have already.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping, Sequence

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    HOST_NAME,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision

from supervisor import __version__
from supervisor.telemetry.spans import ROOT, Span

NOT_TAKEN = (
    "warning: the collector of OTEL_EXPORTER_OTLP_ENDPOINT takes no traces: what doesn't reach it is lost,"
    " and no more is said of it"
)


class Sender:
    """Sends from a thread of the SDK's own, and keeps OTEL_BSP_MAX_QUEUE_SIZE spans at most."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` gets one line when the collector fails for the first time.

        Raises ValueError or OSError where one of the SDK's variables says what can't be.
        """
        _silence()
        self._ids = _GivenIds()
        self._provider = TracerProvider(resource=_resource(), id_generator=self._ids, shutdown_on_exit=False)
        self._exporter = _TellsOnce(OTLPSpanExporter(), tell)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("portsup", __version__)

    def send(self, trace_id: int, span: Span, common: Mapping[str, str | int]) -> None:
        """Returns at once. `common`: attributes beside the span's own."""
        self._ids.trace_id, self._ids.span_id = trace_id, span.id
        sent = self._tracer.start_span(
            span.name,
            self._below(trace_id, span.parent),
            attributes={**common, **span.attributes},
            start_time=span.start,
        )
        for moment in span.moments:
            sent.add_event(moment.name, {"portsup.message": moment.message}, moment.time)
        if span.error is not None:
            sent.set_status(api.Status(api.StatusCode.ERROR, span.error))
        sent.end(span.end)

    def close(self) -> None:
        """Send what is left, unless the collector failed to take what came before. May take as long as
        OTEL_EXPORTER_OTLP_TIMEOUT says."""
        if self._exporter.fails:
            self._exporter.shutdown()  # ends the waiting between its tries too
        self._provider.shutdown()

    def _below(self, trace_id: int, parent: int | None) -> Context:
        """Never below a span that happens to be open in this process."""
        if parent is None:
            return Context()
        flags = api.TraceFlags.SAMPLED if self._is_sampled(trace_id) else api.TraceFlags.DEFAULT
        above = api.SpanContext(trace_id, parent, is_remote=False, trace_flags=api.TraceFlags(flags))
        return api.set_span_in_context(api.NonRecordingSpan(above), Context())

    def _is_sampled(self, trace_id: int) -> bool:
        """What OTEL_TRACES_SAMPLER says of the root counts for all that is below it."""
        decision = self._provider.sampler.should_sample(Context(), trace_id, ROOT).decision
        return decision is Decision.RECORD_AND_SAMPLE


class _GivenIds(IdGenerator):
    """Those of the span that is started next."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _TellsOnce(SpanExporter):
    def __init__(self, exporter: SpanExporter, tell: Callable[[str], None]) -> None:
        self._exporter = exporter
        self._tell = tell
        self._told = False
        self.fails = False
        """Whether it did the last time."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # whatever the libraries below raise, for an address that is none for instance
            result = SpanExportResult.FAILURE
        self.fails = result is SpanExportResult.FAILURE
        if self.fails and not self._told:
            self._told = True
            self._tell(NOT_TAKEN)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _resource() -> Resource:
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, so that they win."""
    own = {SERVICE_NAME: "portsup", SERVICE_VERSION: __version__, HOST_NAME: socket.gethostname()}
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _silence() -> None:
    """The SDK logs each failure, some with the headers that it was given, and those carry secrets."""
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
