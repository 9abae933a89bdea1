"""The verifier as an instrument of the judging queue, with a limit on its rate."""

from __future__ import annotations

import time

import aiohttp

from glidepath.config.comparison import VerifierSection
from glidepath.errors import ConfigError
from glidepath.pair_scores import Correctness
from scorer.scoring.verify.call_rate import CallRate
from scorer.scoring.verify.verifier_client import TOO_LARGE, Verifier
from scorer.scoring.verify.verifier_messages import VerifierInput
from scorer.scoring.worker.judging_queue import Finding
from scorer.scoring.worker.scoring_process.batch_result import PairResult

VERIFIED = "verified"


class VerifierInstrument:
    """The verifier of one workload."""

    name, result_field, reason_field = "verifier", "correctness", "unverified"

    def __init__(self, settings: VerifierSection) -> None:
        """Create the instrument. Raises ConfigError if the verifier's credential is missing."""
        self.in_flight = settings.in_flight
        self._rate = CallRate(settings.per_second)
        self._client = Verifier(settings)
        self._client.headers()

    def wants(self, result: PairResult) -> bool:
        return bool(result.for_verifier)

    def needs_no_question(self, result: PairResult) -> bool:
        return False

    async def reason_not_to_ask(self, result: PairResult) -> str:
        if not result.for_verifier["message"]:
            return TOO_LARGE
        return "" if self._rate.take(time.monotonic()) else "rate"

    async def ask(self, session: aiohttp.ClientSession, result: PairResult) -> Finding:
        try:
            answer = await self._client.ask(session, VerifierInput(**result.for_verifier))
        except ConfigError:  # the credential file is being replaced
            return Finding("credential", {})
        return Finding(VERIFIED, {"correctness": answer}) if isinstance(answer, Correctness) else Finding(answer, {})
