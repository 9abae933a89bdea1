"""The main program of the scoring process: it reads batches from standard input and writes results to standard output.

``process_client.py`` starts the process. The process ends when its input ends, so it never outlives the scorer.
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
from scorer.scoring.worker.scoring_process.batch_result import COLUMNS, BatchResult
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack

if TYPE_CHECKING:
    from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext

NICENESS = 5  # the steer loop, the proxy and the application have priority


def main() -> None:
    """Read batches from the scorer that started this process, and reply with their results, until the input ends."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the configuration gives the scorer one core
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the scorer ends this process
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # output of a library must not corrupt the messages
    try:
        serve(sys.stdin.buffer, out, unix_ms, _lower_priority)
    except BrokenPipeError:  # the scorer was killed; another scorer reclaims its pairs
        os._exit(1)  # sys.exit would flush the broken pipe again


def serve(
    source: BinaryIO, out: BinaryIO, now_ms: Callable[[], int], when_ready: Callable[[], None] = lambda: None
) -> None:
    """Read the configuration and load the engine. Then reply to one batch after another until the input ends.

    ``when_ready`` is called once, when the engine is loaded.
    """

    def reply(kind: str, blobs: tuple[bytes, ...] = (), **fields: Any) -> None:
        out.write(pack({"kind": kind, **fields}, blobs))
        out.flush()

    first = _message(source)
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
    while (message := _message(source)) is not None:
        header, stored = message
        try:
            done = score_batch(stored, scoring, now_ms(), header["floors"])
        except UnreachableError as error:
            reply("unavailable", why=str(error))
        except Exception as error:  # the scorer then finds the pair that caused the error
            traceback.print_exc()
            reply("failed", why=error_text_with_type(error)[:500])
        else:
            reply("done", tuple(result.scored for result in done.results), **_columns(done))


def _columns(done: BatchResult) -> dict[str, Any]:
    """Return the fields of the reply for a scored batch, except the scores.

    Each field of the results becomes a list with one item for each pair. The counts of the vector cache are numbers.
    """
    return {
        **{name: [getattr(result, name) for result in done.results] for name in COLUMNS},
        "hits": done.cache_hits,
        "misses": done.cache_misses,
    }


def _lower_priority() -> None:
    """Lower the priority of all threads of this process.

    The engine is loaded at normal priority before this call, so that the first scores appear soon.
    """
    tasks = Path("/proc/self/task")
    for thread in [int(task.name) for task in tasks.iterdir()] if tasks.is_dir() else [0]:
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _load(config: Config) -> ScoringContext:
    """Return the context of the batches, with the loaded engine.

    A thread loads the engine while the modules of the signals are imported, which shortens the start of the process.
    Both can run in parallel because the engine is mostly loaded by native code.
    """
    with ThreadPoolExecutor(1) as pool:
        embedder = pool.submit(load_embedder, config.scorer.embedder)
        from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext

        return ScoringContext(config, embedder.result())


def _message(source: BinaryIO) -> tuple[Mapping[str, Any], list[bytes]] | None:
    prefix = source.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    length = LENGTH.unpack(prefix)[0]
    rest = source.read(length)
    return unpack(rest) if len(rest) == length else None
