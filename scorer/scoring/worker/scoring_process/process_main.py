"""The scoring process: batches in on standard input, results out on standard output, one at a time.

It ends when its input ends, so it never outlives the scorer. ``process_client.py`` starts it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import DependencyError, GlidepathError, UnreachableError, error_text_with_type
from scorer.scoring.embed import load_embedder
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack

if TYPE_CHECKING:
    from scorer.scoring.worker.scoring_process.score_pairs import ScoringContext

NICENESS = 5  # the steer loop, the proxy and the application come first


def main() -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core a scorer, as configured
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the scorer decides
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not break the frames
    try:
        serve(sys.stdin.buffer, out, unix_ms, _come_last)
    except BrokenPipeError:  # the scorer was killed: another one scores what it held
        os._exit(1)  # not by the usual way, which would flush the pipe once more


def serve(
    source: BinaryIO, out: BinaryIO, now_ms: Callable[[], int], when_ready: Callable[[], None] = lambda: None
) -> None:
    """First frame: the configuration. Then a reply a batch, until the input ends."""

    def reply(kind: str, blobs: tuple[bytes, ...] = (), **fields: Any) -> None:
        out.write(pack({"kind": kind, **fields}, blobs))
        out.flush()

    first = _frame(source)
    if first is None:
        return
    try:
        scoring = _load(Config.model_validate(first[0]["config"]))
    except GlidepathError as error:
        reply("refused", why=str(error), dependency=isinstance(error, DependencyError))
        return
    from scorer.scoring.worker.scoring_process.score_batch import score_batch

    when_ready()
    reply("ready", engine=scoring.embedder.name)
    while (frame := _frame(source)) is not None:
        header, stored = frame
        try:
            done = score_batch(stored, scoring, now_ms(), header["floors"])
        except UnreachableError as error:
            reply("unavailable", why=str(error))
        except Exception as error:  # the boundary of the process: the pair at fault is found, the others go on
            traceback.print_exc()
            reply("failed", why=error_text_with_type(error)[:500])
        else:
            blobs = tuple(result.scored for result in done.results)
            whys, noise = [result.why for result in done.results], [result.floor for result in done.results]
            doubts = [dict(result.doubt) for result in done.results]
            counts = {"hits": done.cache_hits, "misses": done.cache_misses}
            reply("done", blobs, whys=whys, noise=noise, doubts=doubts, **counts)


def _come_last() -> None:
    """Only now: loading takes half a second of a core, once, and scores are waited for. All threads of the engine."""
    tasks = Path("/proc/self/task")
    for thread in [int(task.name) for task in tasks.iterdir()] if tasks.is_dir() else [0]:
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _load(config: Config) -> ScoringContext:
    """The engine loads, mostly in native code, while Python imports the signals: a scorer starts sooner."""
    with ThreadPoolExecutor(1) as pool:
        embedder = pool.submit(load_embedder, config.scorer.embedder)
        from scorer.scoring.worker.scoring_process.score_pairs import ScoringContext

        return ScoringContext(config, embedder.result())


def _frame(source: BinaryIO) -> tuple[Mapping[str, Any], list[bytes]] | None:
    prefix = source.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    length = LENGTH.unpack(prefix)[0]
    rest = source.read(length)
    return unpack(rest) if len(rest) == length else None
