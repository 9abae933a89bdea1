"""Asking the evaluator: the I/O around ``evaluator``. Any server that speaks ``/v1/chat/completions``.

An evaluator that is away, slow or talks nonsense changes nothing: the pair keeps the score of the cheap signals.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from glidepath.config.scoring import EvaluatorSection
from glidepath.redisio import read_secret
from scorer.compare.evaluator import Budget, Opinion, Question, parse_opinion, question

_AT_ONCE = 4
_MAX_REPLY_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair that the cheap signals leave in doubt, in words."""

    pair_id: str
    prompt: str
    baseline: str
    candidate: str


@dataclass(slots=True)
class Evaluator:
    """Keeps the day's budget. ``failures`` counts questions that brought no opinion, by reason."""

    settings: EvaluatorSection
    budget: Budget = field(default_factory=Budget)
    failures: dict[str, int] = field(default_factory=dict)

    def consult(self, doubts: Sequence[Doubt], now_ms: int) -> dict[str, Opinion]:
        """Opinions by pair id, for as many doubts as the budget allows. Not to be called from a running event loop."""
        return asyncio.run(self.opinions(doubts, now_ms))

    async def opinions(self, doubts: Sequence[Doubt], now_ms: int) -> dict[str, Opinion]:
        """The same as a coroutine. Raises ConfigError for a missing credential, nothing for what the server does."""
        allowed = [doubt for doubt in doubts if self._may_ask(now_ms)]
        if not allowed:
            return {}
        gate = asyncio.Semaphore(_AT_ONCE)
        found: dict[str, Opinion] = {}
        async with aiohttp.ClientSession(
            headers=self._headers(), timeout=aiohttp.ClientTimeout(total=self.settings.timeout)
        ) as session:

            async def ask(doubt: Doubt) -> None:
                async with gate:
                    opinion = await self._ask(session, doubt)
                if opinion is not None:
                    found[doubt.pair_id] = opinion

            async with asyncio.TaskGroup() as group:
                for doubt in allowed:
                    group.create_task(ask(doubt))
        return found

    def _may_ask(self, now_ms: int) -> bool:
        self.budget, allowed = self.budget.take(now_ms, self.settings.budget)
        if not allowed:
            self._failed("budget")
        return allowed

    def _headers(self) -> dict[str, str]:
        if self.settings.credential is None:
            return {}
        return {"authorization": f"Bearer {read_secret(self.settings.credential)}"}

    async def _ask(self, session: aiohttp.ClientSession, doubt: Doubt) -> Opinion | None:
        asked = question(doubt.pair_id, doubt.prompt, doubt.baseline, doubt.candidate, self.settings)
        try:
            async with session.post(self._url(), json=self._body(asked), allow_redirects=False) as response:
                raw = await response.content.read(_MAX_REPLY_BYTES)
                opinion = parse_opinion(_content(raw), asked) if response.status == 200 else None
                reason = "reply" if response.status == 200 else f"status_{response.status}"
        except TimeoutError:
            opinion, reason = None, "timeout"
        except aiohttp.ClientError:
            opinion, reason = None, "unreachable"
        if opinion is None:
            self._failed(reason)
        return opinion

    def _failed(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def _url(self) -> str:
        base = self.settings.url
        return f"{base if base.endswith('/v1') else f'{base}/v1'}/chat/completions"

    def _body(self, asked: Question) -> dict[str, Any]:
        return {"model": self.settings.model, "messages": list(asked.messages), "temperature": 0, "max_tokens": 300}


def _content(raw: bytes) -> str:
    """The text of a chat completion; empty for anything else."""
    try:
        text = json.loads(raw)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return text if isinstance(text, str) else ""
