"""The client of the evaluator model, which any server with ``/v1/chat/completions`` can serve.

If the evaluator is unreachable or slow, or if a reply is invalid, there is no preference for the pair.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from glidepath.config.comparison import EvaluatorSection
from glidepath.evaluation_cost import CostSoFar
from glidepath.pair_scores import Preference
from glidepath.redisio import read_secret
from glidepath.sides import Side
from scorer.scoring.compare.evaluator.control_question import control_questions
from scorer.scoring.compare.evaluator.daily_budget import Budget
from scorer.scoring.compare.evaluator.question_cost import question_cost
from scorer.scoring.compare.evaluator.questions import (
    BOTH,
    AnswersToJudge,
    Question,
    preference_of,
    preferred_side,
    questions,
)

_MAX_REPLY_BYTES = 2**20
BOTH_ADDRESS = "both_address_judge"  # why no preference exists if both answers address their judge


class NoReplyError(Exception):
    """The evaluator gave no valid reply to a question. The text is the reason, such as "timeout"."""


@dataclass(slots=True)
class Evaluator:
    """Client that asks the evaluator model for its preference on pairs, within a daily budget.

    ``failures`` maps each reason for a missing preference to the number of pairs that lack one for this reason.
    ``unpaid``: the cost of the questions that ``take_unpaid`` has not returned yet. ``cost``: the cost that
    ``preferences`` has caused.
    """

    settings: EvaluatorSection
    budget: Budget = field(default_factory=Budget)
    failures: dict[str, int] = field(default_factory=dict)
    unpaid: float = 0.0
    cost: CostSoFar = field(default_factory=CostSoFar)

    def consult(self, pairs: Sequence[AnswersToJudge], now_ms: int) -> list[Preference | None]:
        """Return the result of ``preferences``. This method is for callers that do not run in an event loop."""
        return asyncio.run(self.preferences(pairs, now_ms))

    async def preferences(self, pairs: Sequence[AnswersToJudge], now_ms: int) -> list[Preference | None]:
        """Return the evaluator's preference on each pair, in order.

        The daily budget limits the number of pairs, and ``max_cost`` limits their cost.

        Raises ConfigError if the credential is missing. If the server fails, no error is raised, and the result is
        None for the pairs concerned.
        """
        allowed = [self._may_ask(pair, now_ms) for pair in pairs]
        found: list[Preference | None] = [None] * len(pairs)
        if not any(allowed):
            return found
        limit = asyncio.Semaphore(self.settings.in_flight)
        headers = self.headers()
        async with aiohttp.ClientSession() as session:

            async def ask(index: int) -> None:
                async with limit:
                    answer: Preference | str = self.cost.reason_not_to_spend(self.settings.max_cost, now_ms)
                    if not answer:
                        answer = await self.ask(session, pairs[index], headers)
                        self.cost = self.cost.after(self.take_unpaid(), now_ms)
                if isinstance(answer, Preference):
                    found[index] = answer
                else:
                    self._failed(answer)

            async with asyncio.TaskGroup() as group:
                for index in range(len(pairs)):
                    if allowed[index]:
                        group.create_task(ask(index))
        return found

    def _may_ask(self, asked: AnswersToJudge, now_ms: int) -> bool:
        if asked.addressing == BOTH:
            self._failed(BOTH_ADDRESS)
            return False
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
        self, session: aiohttp.ClientSession, asked: AnswersToJudge, headers: Mapping[str, str]
    ) -> Preference | str:
        """Ask the evaluator about one pair in both orders. Return its preference, or the reason why it has none.

        If the evaluator prefers an answer, a control question tests whether this answer manipulates the evaluator. If
        no control question fits, the preference cannot be tested, and the pair is a tie. After a question without a
        valid reply, no further question is sent.
        """
        try:
            first, second = [await self._choice(session, one, headers) for one in questions(asked, self.settings)]
            preferred = first if first is second else None
            if preferred is None or preferred.value == asked.addressing:
                return preference_of(first, second, asked.addressing)
            control = control_questions(asked, preferred, self.settings)
            if control is None:
                return Preference.TIE
            manipulated = await self._is_manipulated(session, control, preferred, headers)
        except NoReplyError as error:
            return str(error)
        return preference_of(first, second, preferred.value if manipulated else asked.addressing)

    async def _is_manipulated(
        self, session: aiohttp.ClientSession, control: Sequence[Question], preferred: Side, headers: Mapping[str, str]
    ) -> bool:
        """Return whether, in both orders, the answer of ``preferred`` wins against the right answer of the control."""
        for question in control:
            if await self._choice(session, question, headers) is not preferred:
                return False
        return True

    async def _choice(
        self, session: aiohttp.ClientSession, question: Question, headers: Mapping[str, str]
    ) -> Side | None:
        """Send one question. Return the side that the evaluator prefers, or None. Raises NoReplyError.

        The cost of the question is added to ``unpaid`` even if no reply arrives in time, because the server may charge
        for it. A question that did not reach the server, or was answered with an error status, costs nothing.
        """
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        reply, charged = b"", True
        try:
            async with session.post(
                self._url(), json=self._body(question), headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    charged = False
                    raise NoReplyError(f"status_{response.status}")
                reply = await _bounded(response.content)
                return preferred_side(chat_text(reply), question)
        except aiohttp.ClientConnectorError as error:
            charged = False
            raise NoReplyError("unreachable") from error
        except TimeoutError as error:
            raise NoReplyError("timeout") from error
        except aiohttp.ClientError as error:
            raise NoReplyError("unreachable") from error
        except ValueError as error:
            raise NoReplyError("reply") from error
        finally:
            if charged:
                text = "".join(message["content"] for message in question.messages)
                self.unpaid += question_cost(self.settings.price, text, reply)

    def take_unpaid(self) -> float:
        """Return the cost of the questions since the last call."""
        cost, self.unpaid = self.unpaid, 0.0
        return cost

    def _failed(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def _url(self) -> str:
        base = self.settings.url
        return f"{base if base.endswith('/v1') else f'{base}/v1'}/chat/completions"

    def _body(self, question: Question) -> dict[str, Any]:
        return {"model": self.settings.model, "messages": list(question.messages), "temperature": 0, "max_tokens": 300}


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
