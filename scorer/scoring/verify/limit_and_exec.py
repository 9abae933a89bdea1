"""Limit this process, then replace it by a command: ``limit_and_exec.py MEMORY SECONDS COMMAND [ARGUMENT ...]``.

The limits survive the replacement: the address space (bytes), the processor time and the wall-clock time (seconds). The
last one ends the command even if the scorer that started it has died. Only the standard library is used, so that the
interpreter can be started without site-packages.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys

NOT_STARTED = 127  # the exit status if the command cannot be started


def main(arguments: list[str]) -> None:
    memory, seconds, *command = arguments
    for kind, limit in (
        (resource.RLIMIT_AS, int(memory)),
        (resource.RLIMIT_CPU, math.ceil(float(seconds)) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (bound, bound))
    signal.setitimer(signal.ITIMER_REAL, float(seconds) + 1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
