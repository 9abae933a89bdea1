"""Limit the delay that Python's garbage collection causes in the steer loop. See ADR 0111 and ADR 0470."""

from __future__ import annotations

import gc

# Python collects the young objects after this many new objects. A tick of 200 workloads creates about 7,000.
_YOUNG = 10_000


def limit_garbage_collection() -> None:
    """Make garbage collections rare, and exclude from them all objects that exist now.

    These objects (modules, configuration, clients) live as long as the process. A full collection would visit all of
    them, and Python runs one whenever the number of objects has grown by a quarter. A scorer creates over a hundred
    thousand objects when it starts, so each full collection would delay one tick by 50 to 70 ms. Call this function
    once, after the setup of the process.

    With Python's own threshold of 700 objects, ten collections would run in a tick of 200 workloads, and objects that
    the tick still uses would count as old after the second collection. So full collections, which visit the evidence,
    would run every few seconds.
    """
    gc.set_threshold(_YOUNG)
    gc.collect()
    gc.freeze()
