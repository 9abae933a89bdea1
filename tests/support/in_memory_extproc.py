"""In-memory twins of extproc's tee, Redis writer and pair encoder, and a configuration for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from redis.exceptions import ConnectionError as RedisConnectionError

from extproc.body_limits import Body, BodyMemory
from extproc.copy_sender import ShadowAnswer, ShadowRequest
from extproc.pair_encoding import EncodedPair, RawPair
from glidepath.config import Config, parse_config
from glidepath.outcome_summaries import Outcomes
from glidepath.pairs import Answer, Ending, PairKind
from glidepath.sides import Origin

CHAT = "/v1/chat/completions"


def capture_config(shadow: str = "{}", extra: str = "") -> Config:
    """Return a configuration with the settings ``shadow``. It makes no noise copies unless these settings have them."""
    if "same_side" not in shadow:
        shadow = "{same_side: 0, " + shadow.removeprefix("{")
    return parse_config(f"""
backends:
  cloud: {{url: "http://127.0.0.1:9001", price: {{input: 1, output: 2}}}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {{path: {CHAT}}}
    baseline: cloud
    candidate: onprem
    sticky: {{header: x-user-id}}
    shadow: {shadow}
{extra}
""")


@dataclass(slots=True)
class TwinSender:
    """Answers every copy with ``answer`` once ``gate`` is open."""

    memory: BodyMemory = field(default_factory=lambda: BodyMemory(10**6))
    status: int = 200
    body: bytes = b"theirs"
    ending: Ending = Ending.COMPLETE
    encoding: str = ""
    retry_after: str = ""
    copies: list[ShadowRequest] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    async def send(self, copy: ShadowRequest) -> ShadowAnswer:
        self.copies.append(copy)
        held = Body(10**6, self.memory)
        held.add(self.body)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            held.release()
            raise
        answer = Answer(
            side=copy.side,
            origin=Origin.SHADOW,
            backend=copy.backend,
            status=self.status,
            body=held.value(),
            ending=self.ending,
            first_byte_ms=5,
            total_ms=7,
        )
        return ShadowAnswer(answer, self.encoding, held, self.retry_after)


@dataclass(slots=True)
class TwinWriter:
    """Keeps the written records. ``away`` simulates an unreachable Redis, ``refuse`` a Redis that refuses a pair."""

    pairs: list[EncodedPair] = field(default_factory=list)
    outcomes: list[Outcomes] = field(default_factory=list)
    away: bool = False
    lose_acknowledgements: bool = False
    refuse: Callable[[EncodedPair], bool] = lambda _: False
    before: Callable[[], Awaitable[None]] | None = None
    writes: int = 0

    async def write(self, pairs: Sequence[EncodedPair], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]:
        self.writes += 1
        if self.before is not None:
            await self.before()
        if self.away:
            raise RedisConnectionError("connection refused")
        kept = [not self.refuse(encoded) for encoded in pairs]
        self.pairs += [encoded for encoded, keep in zip(pairs, kept, strict=True) if keep]
        known = {(one.source, one.seq) for one in self.outcomes}
        self.outcomes += [one for one in outcomes if (one.source, one.seq) not in known]
        if self.lose_acknowledgements:
            raise RedisConnectionError("connection reset")
        return kept, [True] * len(outcomes)


class TwinEncoder:
    """Encodes a pair as its id."""

    async def encode(self, batch: Sequence[RawPair]) -> list[EncodedPair]:
        return [
            EncodedPair(raw.pair.workload, raw.pair.kind, raw.pair.id.encode(), counted=raw.counted) for raw in batch
        ]


def encoded_pair(number: int = 1, size: int = 10, seq: int = 1) -> EncodedPair:
    return EncodedPair("chat", PairKind.CROSS, number.to_bytes(4, "big") * (size // 4), seq)
