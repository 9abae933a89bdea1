"""The parts of a running console, which every page needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from glidepath.config import Config
from glidepath.redisio import RedisClient
from glidepath_ops.console import html
from glidepath_ops.console.access import Access, Visitor
from glidepath_ops.console.live_updates import LiveViews
from glidepath_ops.console.metrics import ConsoleMetrics


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of a running console. ``demo``: whether it shows the traffic of `glidepath demo`."""

    config: Config
    redis: RedisClient
    access: Access
    live: LiveViews
    metrics: ConsoleMetrics
    demo: bool = False

    def page(self, request: Request, template: str, visitor: Visitor, code: int = 200, **values: Any) -> Response:
        """Return a page, with the values that every page shows: the visitor, and the visitor's rights."""
        return html.page(template, code, **self.shared(request.url.path, visitor), **values)

    def shared(self, path: str, visitor: Visitor) -> dict[str, Any]:
        return {
            "visitor": visitor,
            "takes_token": self.access.takes_token,
            "path": path,
            "workloads": list(self.config.workloads),
            "demo": self.demo,
        }
