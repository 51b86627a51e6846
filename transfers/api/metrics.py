"""`GET /metrics`: the engine's figures for Prometheus, asked of the database at each scrape.

For staff: a scraper sends a token of a staff account (`authorization: {type: Token, credentials: …}`).
"""

from collections.abc import Iterator

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from rest_framework.request import Request

from alyx.core import clock
from alyx.core.errors import Forbidden
from alyx.core.rest.views import Endpoint
from transfers.queries.health import measured
from transfers.rules.errors import ErrorCode, PolicyClass, parse_code, policy
from transfers.rules.lifecycle import LIVE


class _Collector:
    """What a scrape reads."""

    def collect(self) -> Iterator[Metric]:
        """Each figure with its help."""
        found = measured(clock.now())
        items = GaugeMetricFamily("alyx_transfers_items", "Files on their way, by state", labels=["state"])
        for state in sorted(LIVE):
            items.add_metric([str(state)], found["items"].get(str(state), 0))
        yield items
        jobs = GaugeMetricFamily("alyx_transfers_jobs", "Jobs that are not settled, by state", labels=["state"])
        for name, count in sorted(found["jobs"].items()):
            jobs.add_metric([name], count)
        yield jobs
        places = GaugeMetricFamily("alyx_transfers_repositories", "Repositories, by state", labels=["state"])
        for name, count in sorted(found["repositories"].items()):
            places.add_metric([name], count)
        yield places
        yield GaugeMetricFamily("alyx_transfers_waiting_bytes", "Bytes still to be moved", found["waiting_bytes"])
        yield GaugeMetricFamily("alyx_transfers_open_windows", "Nights that are open", found["open_windows"])
        yield GaugeMetricFamily(
            "alyx_transfers_oldest_unprotected_seconds", "Age of the oldest file without its copies", found["oldest"]
        )
        ages = GaugeMetricFamily("alyx_transfers_tick_age_seconds", "Since the round was last made", labels=["round"])
        for name, age in sorted(found["ages"].items()):
            ages.add_metric([name], age)
        yield ages
        yield GaugeMetricFamily("alyx_transfers_alarms", "What is overdue", len(found["alarms"]))
        yield CounterMetricFamily(
            "alyx_transfers_lease_reclaims", "Jobs taken over from a worker that died", found["reclaims"]
        )
        failures = CounterMetricFamily("alyx_transfers_failures", "Tries that failed, by code", labels=["code"])
        for code, count in sorted(found["failures"].items()):
            failures.add_metric([code], count)
        yield failures
        wrong = sum(count for code, count in found["failures"].items() if _is_about_bytes(parse_code(code)))
        yield CounterMetricFamily(
            "alyx_transfers_verify_failures", "Tries whose bytes were not the registered ones", wrong
        )


def _is_about_bytes(code: ErrorCode) -> bool:
    return policy(code).kind is PolicyClass.INTEGRITY or code is ErrorCode.SOURCE_CHANGED


class Metrics(Endpoint):
    """`/metrics`."""

    pagination_class = None

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """In Prometheus' text format. Raises Forbidden."""
        if not self.actor.is_staff:
            raise Forbidden("metrics are for staff accounts: give the scraper a token of one")
        registry = CollectorRegistry()
        registry.register(_Collector())
        return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")
