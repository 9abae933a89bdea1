"""The two sources of a demo backend's answers: prepared texts, sent at the speed of a model, or a real model."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp import web

from glidepath.sides import Side
from glidepath_ops.demo.injected_faults import SLOW_FACTOR, InjectedFault, spoil
from glidepath_ops.demo.openai_api import ChatRequest, chunks, completion
from glidepath_ops.demo.written_answers import answer, texts

STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
OnFirstByte = Callable[[], None]
"""A function that is called when the first byte of an answer is sent."""


class AnswerSource(Protocol):
    """A source of answers to chat completions.

    A source applies the faults LATENCY and QUALITY. The server applies ERRORS and BODY, and then asks no source.
    """

    async def reply(
        self, http: web.Request, request: ChatRequest, fault: InjectedFault, on_first_byte: OnFirstByte
    ) -> web.StreamResponse: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of simulated answers, in seconds: the median time until the first chunk, and between two chunks.

    For each answer, both times are drawn from lognormal distributions. ``sigma`` is the standard deviation of their
    logarithms.
    """

    first: float = 0.045
    chunk: float = 0.006
    sigma: float = 0.2

    def times(self, count: int, rng: random.Random, factor: float = 1.0) -> list[float]:
        """Return when each of ``count`` chunks is sent, in seconds after the arrival of the request.

        ``factor`` multiplies all times.
        """
        at = self.first * rng.lognormvariate(0, self.sigma) * factor
        each = self.chunk * rng.lognormvariate(0, self.sigma) * factor
        return [at + each * index for index in range(count)]


class WrittenTexts:
    """A source that answers with the prepared texts of written_answers.json, at the speed of a small hosted model."""

    def __init__(self, side: Side, model: str, pace: Pace, rng: random.Random) -> None:
        self.side, self.model, self.pace, self.rng = side, model, pace, rng

    async def reply(
        self, http: web.Request, request: ChatRequest, fault: InjectedFault, on_first_byte: OnFirstByte
    ) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        text = answer(request.prompt, self.side, self.rng)
        if fault is InjectedFault.QUALITY:
            text = spoil(text, [t.first for t in texts() if t.prompt != request.prompt], self.rng)
        frames = list(chunks(self._new_id(), int(time.time()), self.model, request, text))
        factor = SLOW_FACTOR if fault is InjectedFault.LATENCY else 1.0
        due = [started + seconds for seconds in self.pace.times(len(frames), self.rng, factor)]
        if request.stream:
            return await self._stream(http, frames, due, on_first_byte)
        await _until(due[-1])
        on_first_byte()
        body = completion(self._new_id(), int(time.time()), self.model, request, text)
        return web.Response(body=body, content_type="application/json")

    async def _stream(
        self, http: web.Request, frames: list[bytes], due: list[float], on_first_byte: OnFirstByte
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await _until(due[0])
        on_first_byte()
        await response.prepare(http)
        for frame, at in zip(frames, due, strict=True):
            await _until(at)
            await response.write(frame)
        await response.write_eof()
        return response

    def _new_id(self) -> str:
        return f"chatcmpl-{self.rng.getrandbits(96):024x}"


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))


class LlamaCpp:
    """A source that forwards requests to a llama.cpp server on this machine and returns its answers unchanged.

    With the fault LATENCY, it waits first. With the fault QUALITY, the source ``bad`` answers instead. ``temperature``,
    if it is not None, replaces the temperature in the requests.
    """

    def __init__(
        self, url: str, session: aiohttp.ClientSession, bad: WrittenTexts, temperature: float | None = None
    ) -> None:
        self.url, self.session, self.bad, self.temperature = url, session, bad, temperature
        self._mean = 0.5  # mean seconds per answer, which a latency fault multiplies

    async def reply(
        self, http: web.Request, request: ChatRequest, fault: InjectedFault, on_first_byte: OnFirstByte
    ) -> web.StreamResponse:
        if fault is InjectedFault.QUALITY:
            return await self.bad.reply(http, request, fault, on_first_byte)
        if fault is InjectedFault.LATENCY:
            await asyncio.sleep((SLOW_FACTOR - 1) * self._mean)
        started = asyncio.get_running_loop().time()
        response = await self._forward(http, on_first_byte)
        if fault is InjectedFault.NONE:
            self._mean += 0.2 * (asyncio.get_running_loop().time() - started - self._mean)
        return response

    async def _forward(self, http: web.Request, on_first_byte: OnFirstByte) -> web.StreamResponse:
        headers, data = {"Content-Type": "application/json"}, await http.read()
        if self.temperature is not None:
            data = json.dumps({**json.loads(data), "temperature": self.temperature}).encode()
        async with self.session.post(self.url + http.path_qs, data=data, headers=headers) as upstream:
            response = web.StreamResponse(status=upstream.status)
            response.headers["Content-Type"] = upstream.headers.get("Content-Type", "application/json")
            first = True
            async for block in upstream.content.iter_any():
                if first:
                    on_first_byte()
                    await response.prepare(http)
                    first = False
                await response.write(block)
            await response.write_eof()
            return response
