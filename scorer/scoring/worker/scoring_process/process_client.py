"""The scorer's connection to the scoring process, and the protocol of all classes that score batches.

Scoring runs in a separate process for three reasons. First, regular expressions and JSON parsing keep the GIL while
they work on a body, so in the scorer's main process they would block the steer loop. Second, a separate process can
have a lower priority. Third, a pair that makes this process crash or hang affects nothing else. The cost is that pairs
and results go through a pipe (measurements in docs/reference/embedding.md, decision in ADR 0037).
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
from scorer.scoring.killed_process import wait_for_killed
from scorer.scoring.worker.scoring_process.batch_result import COLUMNS, BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack
from scorer.scoring.worker.scoring_process.spawn_process import spawn

START_TIMEOUT_S = 120.0  # long, because the reference engine may download a model
BATCH_TIMEOUT_S = 120.0
_REMOTE_TIMEOUTS_PER_BATCH = 20


class BatchFailedError(Exception):
    """A batch could not be scored, for example because one of its pairs caused an error. The next batch may succeed."""


class BatchScorer(Protocol):
    """Scores batches of stored pairs, one batch at a time."""

    async def start(self) -> None:
        """Load the embedding engine.

        Raises ConfigError or DependencyError for an error that would occur again at a second attempt.
        """

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        """Return one result for each stored pair.

        Raises BatchFailedError if the batch cannot be scored, and UnreachableError if a remote engine does not answer.
        """

    async def close(self) -> None: ...


class ProcessScorer:
    """Scores batches in a child process, and starts a new child if the old one died."""

    def __init__(self, config: Config, *, child: Process | None = None, batch_timeout: float | None = None) -> None:
        """Create the scorer without starting a process.

        ``child`` may be a process that ``spawn`` has started and to which nothing has been sent.
        """
        # exclude_unset, because the engines must be able to distinguish unset settings from defaults.
        self._config = json.loads(config.model_dump_json(exclude_unset=True, by_alias=True))
        embedder = config.scorer.embedder
        remote = embedder.timeout * _REMOTE_TIMEOUTS_PER_BATCH if embedder.engine == "remote" else 0.0
        self._batch_timeout = batch_timeout if batch_timeout is not None else BATCH_TIMEOUT_S + remote
        self._spawned = child
        self._child: Process | None = None
        self.engine = ""

    async def launch(self) -> None:
        """Start the child process if necessary, and send it the configuration without waiting for a reply.

        The child then loads its engine while the caller works.
        """
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
        rows = zip(*(header[name] for name in COLUMNS), strict=True)
        named = (dict(zip(COLUMNS, row, strict=True)) for row in rows)
        results = tuple(PairResult(blob, **values) for blob, values in zip(blobs, named, strict=True))
        return BatchResult(results, header["hits"], header["misses"])

    async def close(self) -> None:
        """Kill the child process at once. The pairs of its current batch remain pending in Redis."""
        child, self._child, self._spawned = self._child or self._spawned, None, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await wait_for_killed(child)

    async def _exchange(self, child: Process, request: bytes, timeout: float) -> tuple[dict[str, Any], list[bytes]]:
        """Send one message and return the reply. Kill the child if, for any reason, no complete reply arrives."""
        complete = False
        try:
            async with asyncio.timeout(timeout):
                answer = await _round_trip(child, request)
            complete = True
        except TimeoutError as error:
            raise BatchFailedError(f"the scoring process took more than {timeout:g} s") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise BatchFailedError(f"the scoring process died{await _status(child)}") from error
        finally:
            if not complete:  # also after a cancellation: a late reply would count as the reply to the next message
                await self.close()
        return answer


async def _round_trip(child: Process, request: bytes) -> tuple[dict[str, Any], list[bytes]]:
    assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018 - both are pipes
    with contextlib.suppress(ConnectionError):  # a child that has ended may have written its reason, read below
        child.stdin.write(request)
        await child.stdin.drain()
    length = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))[0]
    return unpack(await child.stdout.readexactly(length))


async def _status(child: Process) -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            return f" with status {await child.wait()}"
    return ", or closed its output"
