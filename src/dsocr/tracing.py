"""Spans in OpenTelemetry's form; they cost nothing until `start` is called.

Needs the extra `otel`. A span is the child of the one around it in the same task, or of the caller
that sent a W3C `traceparent` header. No image, prompt or text is put into a span.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dsocr.errors import DsocrError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Value = str | int | float | bool
SERVICE = "dsocr"


class TracingOff(DsocrError):
    """Traces need OpenTelemetry's packages: pip install 'dsocr[otel]'."""

    code = "tracing_off"


class Span(Protocol):
    """A part of the work that is being timed."""

    def set(self, **attributes: Value | None) -> None:
        """Adds attributes; those that are None are left out."""

    def event(self, name: str) -> None:
        """Notes that something happened now."""


class _NoSpan:
    def set(self, **attributes: Value | None) -> None:
        pass

    def event(self, name: str) -> None:
        pass


class _RecordedSpan:
    def __init__(self, span: Any) -> None:
        self._span = span

    def set(self, **attributes: Value | None) -> None:
        given = {_dotted(name): one for name, one in attributes.items() if one is not None}
        self._span.set_attributes(given)

    def event(self, name: str) -> None:
        self._span.add_event(name)


class _Tracing:
    """The exporter of this process."""

    provider: Any = None
    tracer: Any = None


_NO_SPAN = _NoSpan()
_TRACING = _Tracing()


def is_installed() -> bool:
    packages = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    try:
        return all(importlib.util.find_spec(name) is not None for name in packages)
    except ModuleNotFoundError:
        return False


def start(url: str, exporter: SpanExporter | None = None) -> None:
    """Sends spans to the OTLP collector at `url`, such as `http://host:4318/v1/traces`, in the
    background; or to `exporter` as they end. Raises `TracingOff` without the extra."""
    if not is_installed():
        raise TracingOff()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    if exporter is None:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _TRACING.provider, _TRACING.tracer = provider, provider.get_tracer(SERVICE)


def stop() -> None:
    """Sends what is left. Blocks for that."""
    provider, _TRACING.provider, _TRACING.tracer = _TRACING.provider, None, None
    if provider is not None:
        provider.shutdown()


@contextmanager
def span(
    name: str,
    *,
    kind: Literal["internal", "server", "client"] = "internal",
    parent: Mapping[str, str] | None = None,
    linked: bool = False,
    **attributes: Value | None,
) -> Iterator[Span]:
    """Times the block. `parent` has the headers of a request that may name the caller's span. A
    `linked` span begins a trace of its own, with a link to the span around. In the names of
    attributes `__` stands for a dot."""
    if _TRACING.tracer is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import SpanKind

    origin = _link_to_current() if linked else {"context": _context_of(parent)}
    started = _TRACING.tracer.start_as_current_span(name, kind=SpanKind[kind.upper()], **origin)
    with started as current:
        recorded = _RecordedSpan(current)
        recorded.set(**attributes)
        yield recorded


def annotate(**attributes: Value | None) -> None:
    """Adds attributes to the span around, as `Span.set` does."""
    if _TRACING.tracer is not None:
        from opentelemetry.trace import get_current_span

        _RecordedSpan(get_current_span()).set(**attributes)


def record(name: str, begin: float, end: float, **attributes: Value | None) -> None:
    """A span that another process of this machine has timed, in seconds since 1970; the child of
    the one around."""
    if _TRACING.tracer is not None:
        timed = _TRACING.tracer.start_span(name, start_time=int(begin * 1e9))
        _RecordedSpan(timed).set(**attributes)
        timed.end(end_time=int(end * 1e9))


def outgoing_headers() -> dict[str, str]:
    """`traceparent` of the span around, for a request to another service; empty without one."""
    headers: dict[str, str] = {}
    if _TRACING.tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers


def trace_id() -> str:
    """Of the span around, as 32 hex digits; empty without one."""
    if _TRACING.tracer is None:
        return ""
    from opentelemetry.trace import format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else ""


def _context_of(headers: Mapping[str, str] | None) -> Any:
    if not headers or "traceparent" not in headers:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(dict(headers))


def _link_to_current() -> dict[str, Any]:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, get_current_span

    return {"context": Context(), "links": [Link(get_current_span().get_span_context())]}


def _dotted(name: str) -> str:
    return name.replace("__", ".")
