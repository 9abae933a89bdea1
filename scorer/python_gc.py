"""Limit the delay that Python's garbage collection causes in the steer loop. See ADR 0111."""

from __future__ import annotations

import gc


def freeze_present_objects() -> None:
    """Exclude all objects that exist now (modules, configuration, clients) from garbage collection.

    These objects live as long as the process. A full collection would visit all of them, and Python runs one whenever
    the number of objects has grown by a quarter. A scorer creates over a hundred thousand objects when it starts, so
    each full collection would delay one tick by 50 to 70 ms. Call this function once, after the setup of the process.
    """
    gc.collect()
    gc.freeze()
