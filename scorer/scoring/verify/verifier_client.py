"""Ask the verifier of a workload about pairs: run its command, or call its HTTP endpoint.

If the verifier fails, is too slow or sends an invalid reply, the pair has no correctness, and the reason is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from glidepath.config.comparison import VerifierSection
from glidepath.pair_scores import Correctness
from glidepath.redisio import read_secret
from scorer.scoring.verify.call_rate import CallRate
from scorer.scoring.verify.run_command import MAX_OUTPUT, CommandLimits, NoResultError, run_command
from scorer.scoring.verify.verifier_messages import VerifierInput, correctness_in

TOO_LARGE = "too_large"  # why no correctness exists if the message would be larger than scoring.verifier.max_input


@dataclass(slots=True)
class Verifier:
    """Client of a workload's verifier.

    ``show_errors``: whether the stderr of a command is shown (see ``run_command``).
    ``failures`` maps each reason for a missing correctness to the number of pairs that lack one for this reason.
    """

    settings: VerifierSection
    show_errors: bool = False
    failures: dict[str, int] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers of a call. Each call reads the credential again. Raises ConfigError without one."""
        found = {"content-type": "application/json"}
        if self.settings.credential is not None:
            found["authorization"] = f"Bearer {read_secret(self.settings.credential)}"
        return found

    async def ask(self, session: aiohttp.ClientSession, asked: VerifierInput) -> Correctness | str:
        """Return how correct each answer of a pair is, or the reason why there is no result, such as "timeout".

        Raises ConfigError if the credential is missing.
        """
        if not asked.message:
            return TOO_LARGE
        try:
            reply = await self._reply(session, asked.message.encode())
        except NoResultError as error:
            return str(error)
        try:
            return correctness_in(reply, asked.pair_id, blind=self.settings.blind)
        except ValueError:
            return "reply"

    async def _reply(self, session: aiohttp.ClientSession, message: bytes) -> bytes:
        section = self.settings
        if section.command is not None:
            limits = CommandLimits(section.timeout, section.memory)
            return await run_command(section.command, message, limits, show_errors=self.show_errors)
        return await self._post(session, message)

    async def _post(self, session: aiohttp.ClientSession, message: bytes) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        try:
            async with session.post(
                str(self.settings.url), data=message, headers=self.headers(), timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise NoResultError(f"status_{response.status}")
                return await _bounded(response.content)
        except TimeoutError as error:
            raise NoResultError("timeout") from error
        except aiohttp.ClientError as error:
            raise NoResultError("unreachable") from error

    def consult(self, pairs: Sequence[VerifierInput]) -> list[Correctness | None]:
        """Return the correctness of each pair, in order. This method is for callers that do not run in an event loop.

        It waits whenever a call would exceed the rate. Raises ConfigError if the credential is missing.
        """
        return asyncio.run(self._all(pairs))

    async def _all(self, pairs: Sequence[VerifierInput]) -> list[Correctness | None]:
        found: list[Correctness | None] = [None] * len(pairs)
        rate, limit = CallRate(self.settings.per_second), asyncio.Semaphore(self.settings.in_flight)
        async with aiohttp.ClientSession() as session:

            async def ask(index: int) -> None:
                async with limit:
                    while not rate.take(time.monotonic()):  # noqa: ASYNC110 - only time makes the rate allow it
                        await asyncio.sleep(0.5 / self.settings.per_second)
                    answer = await self.ask(session, pairs[index])
                if isinstance(answer, Correctness):
                    found[index] = answer
                else:
                    self.failures[answer] = self.failures.get(answer, 0) + 1

            async with asyncio.TaskGroup() as group:
                for index in range(len(pairs)):
                    group.create_task(ask(index))
        return found


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    """Return the whole body of a reply. Raises NoResultError if it is longer than MAX_OUTPUT."""
    raw = bytearray()
    async for piece in stream.iter_any():
        raw += piece
        if len(raw) > MAX_OUTPUT:
            raise NoResultError("output")
    return bytes(raw)
