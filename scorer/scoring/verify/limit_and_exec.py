"""Limit this process, then replace it with a command: ``limit_and_exec.py MEMORY SECONDS COMMAND [ARGUMENT ...]``.

The limits survive the replacement: the address space (bytes), the size of each written file, the processor time and the
wall-clock time (seconds). The limit on wall-clock time ends the command even if the scorer has died. RLIMIT_NPROC is
not set, because it counts all processes of the user: the scorer's own and those of other runs. Only the standard
library is used, so that the interpreter can be started without site-packages.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys

NOT_STARTED = 127  # the exit status if the command cannot be started
MAX_FILE = 2**30  # bytes of each file that the command writes


def main(arguments: list[str]) -> None:
    memory, seconds, *command = arguments
    for kind, limit in (
        (resource.RLIMIT_AS, int(memory)),
        (resource.RLIMIT_CPU, math.ceil(float(seconds)) + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MAX_FILE),
    ):
        _, hard = resource.getrlimit(kind)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (bound, bound))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and the command would inherit this
        signal.signal(ignored, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, float(seconds) + 1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    main(sys.argv[1:])
