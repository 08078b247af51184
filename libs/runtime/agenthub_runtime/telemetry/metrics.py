"""Takes the figures of this process and gives them out: to who scrapes, and to who collects by OTLP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agenthub_runtime.settings.records import LogSettings
from agenthub_runtime.telemetry.health import Health
from agenthub_runtime.telemetry.instruments import ALL, BUILD_INFO, NATS_RECONNECTS

if TYPE_CHECKING:
    from nats.aio.client import Client
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from prometheus_client import CollectorRegistry

log = structlog.get_logger(__name__)

TARGETS = "metrics"
"""The folder, in that of the hub's data, in which each process says where it is scraped (Prometheus `file_sd`)."""

CONTENT_TYPE = "text/plain; version=0.0.4"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class Metrics:
    """The figures of one process. `registry` None: nobody takes them, and nothing is counted."""

    def __init__(self, registry: CollectorRegistry | None = None, provider: MeterProvider | None = None) -> None:
        self._registry = registry
        self._provider = provider
        self._listener: _Listener | None = None

    @property
    def is_on(self) -> bool:
        """Whether anybody takes the figures."""
        return self._provider is not None

    def exposed(self) -> bytes:
        """Every figure in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry) if self._registry is not None else b""

    def listen(
        self, address: str, targets: Path | None, labels: Mapping[str, str], health: Health | None = None
    ) -> None:
        """Let Prometheus scrape at `address` (port 0: a free one), and say so in the folder `targets`.

        With `health` it also tells there whether this process works. Raises `OSError` when it cannot be listened
        there.
        """
        assert self._registry is not None
        self._listener = _Listener(self._registry, address, targets, labels, health)

    def shutdown(self) -> None:
        """Send what has not been sent, and count no more."""
        if self._listener is not None:
            self._listener.close()
        if self._provider is not None:
            self._provider.shutdown()
            for instrument in ALL:
                instrument.release()


def configure_metrics(
    settings: LogSettings,
    *,
    service: str,
    name: str = "",
    nats: Client | None = None,
    always: bool = False,
) -> Metrics:
    """Count from here on, if anybody takes the figures or `always`; `name` tells processes of one service apart.

    With `nats` it is called on the loop of the service. Raises `OSError` when the address for scraping is taken.
    """
    pushed = bool(settings.otlp_endpoint) and settings.pushes_metrics
    if not (always or pushed or settings.metrics):
        return Metrics()
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

    from agenthub_runtime.telemetry.recording import resource_of

    registry = CollectorRegistry()
    readers: list[MetricReader] = [PrometheusMetricReader(scope_info_enabled=False, registry=registry)]
    if pushed:
        readers.append(_pushing(settings.otlp_endpoint))
    provider = MeterProvider(metric_readers=readers, resource=resource_of(service), shutdown_on_exit=False)
    meter = provider.get_meter("agenthub")
    for instrument in ALL:
        instrument.bind(meter)
    BUILD_INFO.tell(lambda: [(1, {"version": version("agenthub"), "service": service})])
    if nats is not None:
        NATS_RECONNECTS.tell(lambda: [(nats.stats["reconnects"], {})])
    metrics = Metrics(registry, provider)
    if settings.metrics:
        targets = settings.metrics_targets / TARGETS if settings.metrics_targets else None
        labels = {"job": f"agenthub-{service}", "process": name or service}
        health = Health(asyncio.get_running_loop(), lambda: nats.is_connected) if nats is not None else None
        metrics.listen(settings.metrics, targets, labels, health)
    return metrics


def _pushing(endpoint: str) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint.rstrip('/')}/v1/metrics"))


class _Listener:
    """Answers Prometheus from a thread of its own, and says where in a file for its discovery."""

    def __init__(
        self,
        registry: CollectorRegistry,
        address: str,
        targets: Path | None,
        labels: Mapping[str, str],
        health: Health | None,
    ) -> None:
        from prometheus_client import start_http_server

        host, _, port = address.rpartition(":")
        self._server, self._thread = start_http_server(int(port), host.strip("[]"), registry)
        figures = self._server.get_app()
        if health is not None and figures is not None:
            self._server.set_app(health.before(figures))
        where = f"{host}:{self._server.server_port}"
        log.info("metrics_listening", url=f"http://{where}/metrics")
        self._file: Path | None = None
        if targets is not None:
            targets.mkdir(parents=True, exist_ok=True)
            self._file = targets / f"{_NO_NAME.sub('-', labels['process'])}.json"
            # Prometheus reads it while it is written: it must be there as a whole.
            unfinished = self._file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps([{"targets": [where], "labels": dict(labels)}]))
            unfinished.replace(self._file)

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._file is not None:
            self._file.unlink(missing_ok=True)
