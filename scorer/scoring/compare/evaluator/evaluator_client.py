"""The client of the evaluator model, which any server with ``/v1/chat/completions`` can serve.

If the evaluator is unreachable or slow, or if its reply is invalid, the pair keeps the score of the other signals.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from glidepath.config.comparison import EvaluatorSection
from glidepath.redisio import read_secret
from scorer.scoring.compare.evaluator.questions import Budget, DoubtfulPair, Opinion, Question, parse_opinion, question

_MAX_REPLY_BYTES = 2**20


@dataclass(slots=True)
class Evaluator:
    """Client that asks the evaluator model for its opinion on pairs, within a daily budget.

    ``failures`` maps each reason for a missing opinion to the number of pairs that lack an opinion for this reason.
    """

    settings: EvaluatorSection
    budget: Budget = field(default_factory=Budget)
    failures: dict[str, int] = field(default_factory=dict)

    def consult(self, pairs: Sequence[DoubtfulPair], now_ms: int) -> dict[str, Opinion]:
        """Return the result of ``opinions``. This method is for callers that do not run in an event loop."""
        return asyncio.run(self.opinions(pairs, now_ms))

    async def opinions(self, pairs: Sequence[DoubtfulPair], now_ms: int) -> dict[str, Opinion]:
        """Return the evaluator's opinions on the pairs, by pair id. The daily budget limits the number of questions.

        Raises ConfigError if the credential is missing. If the server fails, no error is raised, and the result lacks
        the opinions that the server did not give.
        """
        allowed = [pair for pair in pairs if self._may_ask(now_ms)]
        if not allowed:
            return {}
        limit = asyncio.Semaphore(self.settings.in_flight)
        headers = self.headers()
        found: dict[str, Opinion] = {}
        async with aiohttp.ClientSession() as session:

            async def ask(pair: DoubtfulPair) -> None:
                async with limit:
                    reply = await self.ask(session, pair, headers)
                if isinstance(reply, Opinion):
                    found[pair.pair_id] = reply
                else:
                    self._failed(reply)

            async with asyncio.TaskGroup() as group:
                for pair in allowed:
                    group.create_task(ask(pair))
        return found

    def _may_ask(self, now_ms: int) -> bool:
        self.budget, allowed = self.budget.take(now_ms, self.settings.budget)
        if not allowed:
            self._failed("budget")
        return allowed

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers of a question to the evaluator. Raises ConfigError if the credential is missing.

        The credential is read at each call, because its file may be replaced.
        """
        if self.settings.credential is None:
            return {}
        return {"authorization": f"Bearer {read_secret(self.settings.credential)}"}

    async def ask(
        self, session: aiohttp.ClientSession, pair: DoubtfulPair, headers: Mapping[str, str]
    ) -> Opinion | str:
        """Ask the evaluator about one pair. Return its opinion, or the name of the failure, such as "timeout"."""
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        asked = question(pair.pair_id, pair.prompt, pair.baseline, pair.candidate, self.settings)
        try:
            async with session.post(
                self._url(), json=self._body(asked), headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    return f"status_{response.status}"
                return parse_opinion(chat_text(await _bounded(response.content)), asked) or "reply"
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError:
            return "unreachable"

    def _failed(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def _url(self) -> str:
        base = self.settings.url
        return f"{base if base.endswith('/v1') else f'{base}/v1'}/chat/completions"

    def _body(self, asked: Question) -> dict[str, Any]:
        return {"model": self.settings.model, "messages": list(asked.messages), "temperature": 0, "max_tokens": 300}


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    """Return the whole body of a reply, or b"" if it is longer than _MAX_REPLY_BYTES.

    The body is read in pieces, because a single ``read`` would return only the first packet.
    """
    raw = bytearray()
    async for piece in stream.iter_any():
        raw += piece
        if len(raw) > _MAX_REPLY_BYTES:
            return b""
    return bytes(raw)


def chat_text(raw: bytes) -> str:
    """Return the text of a chat completion, or "" if the reply is not a chat completion."""
    try:
        text = json.loads(raw)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return text if isinstance(text, str) else ""
