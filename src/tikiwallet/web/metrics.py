"""Latencies by route and status, counted so cheaply that the fast lane can count every request.

The counts become Prometheus text only when somebody asks. Each process counts for itself.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

BUCKETS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
)  # fmt: skip
_LABELS: Final = ("method", "route", "status")
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Latencies(Collector):
    """Histograms of seconds per (method, route template, status)."""

    def __init__(self) -> None:
        # The last two numbers of a series are the sum and, before it, the bucket above all bounds.
        self._series: dict[tuple[str, str, int], list[float]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. `route` is a template, never an address: series stay few."""
        series = self._series.get((method, route, status))
        if series is None:
            if method not in _METHODS:
                method = "OTHER"
            series = self._series.setdefault((method, route, status), [0.0] * (len(BUCKETS) + 2))
        series[bisect_left(BUCKETS, seconds)] += 1
        series[-1] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What Prometheus reads; called by its client library."""
        family = HistogramMetricFamily(
            "tikiwallet_http_request_seconds",
            "Time from the request's arrival to its answer",
            labels=_LABELS,
        )
        for (method, route, status), series in list(self._series.items()):
            total = 0.0
            buckets = []
            for bound, count in zip((*BUCKETS, "+Inf"), series, strict=False):
                total += count
                buckets.append((str(bound), total))
            family.add_metric([method, route, str(status)], buckets, series[-1])
        yield family


def build_registry(latencies: Latencies, *others: Collector) -> CollectorRegistry:
    """A registry of this application's own: nothing global, so that tests can have many."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (latencies, *others):
        registry.register(collector)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry)
