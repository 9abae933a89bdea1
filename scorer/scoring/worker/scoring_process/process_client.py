"""Where batches are scored: the Protocol, and the default, a process of its own.

Signals are Python: regular expressions and JSON hold the GIL for as long as a body is long, and then the steer loop in
the same process would wait. A process of its own costs a pipe, and gives more: it can be niced, and a pair that crashes
or hangs it takes nothing else with it. Figures in docs/reference/embedding.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from glidepath.config import Config
from glidepath.errors import ConfigError, DependencyError, UnreachableError
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack
from scorer.scoring.worker.scoring_process.spawn_process import spawn

START_TIMEOUT_S = 120.0  # the reference engine may fetch a model
BATCH_TIMEOUT_S = 120.0
_REMOTE_ROUNDS = 20  # a remote engine may need this many timeouts for one batch


class BatchFailedError(Exception):
    """A batch could not be scored, by the fault of at least one pair in it; the engine is ready for the next."""


class BatchScorer(Protocol):
    async def start(self) -> None:
        """Load the engine. Raises ConfigError or DependencyError where that can never succeed."""

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        """Raises BatchFailedError, or UnreachableError when a remote engine is away. One call at a time."""

    async def close(self) -> None: ...


class ProcessScorer:
    """Scores in a child process, which is started again when it died."""

    def __init__(self, config: Config, *, child: Process | None = None, batch_timeout: float | None = None) -> None:
        """``child``: one spawned already, which has been sent nothing yet."""
        # What was not set stays unset: engines ask whether it was.
        self._config = json.loads(config.model_dump_json(exclude_unset=True, by_alias=True))
        remote = config.scorer.embedder.timeout * _REMOTE_ROUNDS if config.scorer.embedder.engine == "remote" else 0.0
        self._batch_timeout = batch_timeout if batch_timeout is not None else BATCH_TIMEOUT_S + remote
        self._spawned = child
        self._child: Process | None = None
        self.engine = ""

    async def launch(self) -> None:
        """Only begin what ``start`` does: the child loads its engine while the caller does something else."""
        if self._child is None:
            child, self._spawned = self._spawned or await spawn(), None
            assert child.stdin is not None  # noqa: S101 - it is a pipe
            child.stdin.write(pack({"config": self._config}))
            self._child = child

    async def start(self) -> None:
        await self.launch()
        assert self._child is not None  # noqa: S101 - launch sets it or raises
        try:
            header, _ = await self._exchange(self._child, b"", START_TIMEOUT_S)
        except BatchFailedError as error:
            raise UnreachableError(f"the scoring process did not start: {error}") from error
        if header["kind"] == "refused":
            await self.close()
            raise (DependencyError if header["dependency"] else ConfigError)(header["why"])
        self.engine = str(header["engine"])

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        if self._child is None:
            await self.start()
        assert self._child is not None  # noqa: S101 - start sets it or raises
        request = pack({"floors": floors}, stored)
        header, blobs = await self._exchange(self._child, request, self._batch_timeout)
        match header["kind"]:
            case "unavailable":
                raise UnreachableError(header["why"])
            case "failed":
                raise BatchFailedError(header["why"])
        results = tuple(map(PairResult, blobs, header["whys"], header["noise"], header["doubts"]))
        return BatchResult(results, header["hits"], header["misses"])

    async def close(self) -> None:
        """End the child at once: what it has in hand is still pending in Redis."""
        child, self._child, self._spawned = self._child or self._spawned, None, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()

    async def _exchange(self, child: Process, request: bytes, timeout: float) -> tuple[dict[str, Any], list[bytes]]:
        """One frame there and one back. A child that dies, hangs or is left in mid-exchange is ended."""
        whole = False
        try:
            async with asyncio.timeout(timeout):
                answer = await _round_trip(child, request)
            whole = True
        except TimeoutError as error:
            raise BatchFailedError(f"the scoring process took more than {timeout:g} s") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise BatchFailedError(f"the scoring process died{await _status(child)}") from error
        finally:
            if not whole:  # also when cancelled: a late reply would be taken for the next one
                await self.close()
        return answer


async def _round_trip(child: Process, request: bytes) -> tuple[dict[str, Any], list[bytes]]:
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(ConnectionError):  # a child that has ended may have said why: that is read below
        child.stdin.write(request)
        await child.stdin.drain()
    length = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))[0]
    return unpack(await child.stdout.readexactly(length))


async def _status(child: Process) -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            return f" with status {await child.wait()}"
    return ", or closed its output"
