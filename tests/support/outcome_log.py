"""The outcomes that extproc derives from the live access log of a real Envoy."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass, field

import aiohttp

from extproc.outcome_classification import LocalReply, RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.sides import Side
from tests.support.envoy_with_backends import EnvoySetup
from tests.support.waiting import eventually


@dataclass(slots=True)
class OutcomeLog:
    """The outcomes of a candidate's requests, in order. ``attempts``: the number of attempts of each request."""

    setup: EnvoySetup
    attempts: list[int] = field(default_factory=list)

    async def by(self, request: Awaitable[object]) -> RequestOutcome:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await request
        return await self.next()

    async def counted_by(self, request: Awaitable[object]) -> RequestOutcome | LocalReply | None:
        """Send the request, and return its outcome or local reply; None if it is not counted."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await request
        return await self._next()

    async def next(self) -> RequestOutcome:
        outcome = await self._next()
        assert isinstance(outcome, RequestOutcome)
        assert outcome.side is Side.CANDIDATE
        return outcome

    async def _next(self) -> RequestOutcome | LocalReply | None:
        log = self.setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        read = len(self.attempts)
        await eventually(lambda: len(log) > read)
        outcome = classify(log[read], build_workloads(self.setup.envoy.config), shadow=False)
        self.attempts.append(log[read].common_properties.upstream_request_attempt_count)
        return outcome
