"""Garbage collection in a process that ticks four times a second for weeks. See ADR 0111."""

from __future__ import annotations

import gc


def keep_for_good() -> None:
    """Take all that lives now out of the collector's rounds: modules, configuration, clients stay until the end.

    A full round walks through every object there is, and by its own rule comes again whenever a quarter as many have
    been added; over a hundred thousand that only the start has made it holds up the tick that it falls on by 50 to
    70 ms. To be called once, when a process is set up.
    """
    gc.collect()
    gc.freeze()
