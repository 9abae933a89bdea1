"""The console's own metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from glidepath_ops.console.live_updates import LiveViews


class ConsoleMetrics:
    """The metrics of one console."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.seconds = Histogram(
            "glidepath_console_request_seconds",
            "Time in which the console answers a request, by route",
            ["route"],
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3),
            registry=registry,
        )
        self.refused = Counter(
            "glidepath_console_refused_total", "Wrong tokens given to the console", registry=registry
        )
        self.commands = Counter(
            "glidepath_console_commands_total", "Commands sent by the console", ["kind"], registry=registry
        )
        self.feedback = Counter(
            "glidepath_console_feedback_total",
            "Feedback by POST /feedback: baseline, candidate, noted, repeated, unknown, limited, or invalid",
            ["result"],
            registry=registry,
        )
        self.view_errors = Counter(
            "glidepath_console_view_errors_total", "Live views that could not be rendered", registry=registry
        )
        self._pages = Gauge("glidepath_console_open_pages", "Pages that are open and updated now", registry=registry)

    def show_pages(self, live: LiveViews) -> None:
        self._pages.set_function(lambda: live.pages)
