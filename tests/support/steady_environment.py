"""The same environment for every run of the tests: in a developer's shell, in a pipe, and in a CI system's job.

The variables and settings that are removed or set here could otherwise change a test's result: the width and the colour
of output, texts that depend on locale and time zone, a client library's defaults, proxies for loopback, the modes of
files, and the signals that a child ignores.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping

# Read by Rich, Typer and the shells' tools; GITHUB_ACTIONS makes Typer colour its help.
_OF_THE_TERMINAL = (
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "PY_COLORS",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TERMINAL_WIDTH", "GITHUB_ACTIONS",
)  # fmt: skip
_OF_THE_LOCALE = ("LANG", "LANGUAGE", "PYTHONIOENCODING")
_SLOW = ("PYTHONDONTWRITEBYTECODE",)  # each process would compile all modules again, and pytest all tests
_PREFIXES = ("LC_", "OPENAI_", "ANTHROPIC_", "OTEL_", "KUBERNETES_SERVICE_")
_SET = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_LOOPBACK = "localhost,127.0.0.1,::1"


def steady(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the tests, made from the environment ``given``."""
    kept = {
        name: value
        for name, value in given.items()
        if name not in (*_OF_THE_TERMINAL, *_OF_THE_LOCALE, *_SLOW) and not name.startswith(_PREFIXES)
    }
    direct = {name: ",".join(filter(None, (given.get(name), _LOOPBACK))) for name in ("no_proxy", "NO_PROXY")}
    return kept | _SET | direct


def make_steady() -> None:
    """Change the environment of this process, and so of its children."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # GNU readline sets COLUMNS and LINES then, beside os.environ
    wanted = steady(os.environ)
    for name in {*os.environ, *_OF_THE_TERMINAL} - set(wanted):
        os.environ.pop(name, None)
        os.unsetenv(name)
    os.environ.update(wanted)
    sys.dont_write_bytecode = False
    time.tzset()
    os.umask(0o022)
    _take_signals((signal.SIGHUP, signal.SIGINT, signal.SIGQUIT))


def _take_signals(numbers: Iterable[signal.Signals]) -> None:
    """Give child processes the default action for these signals, as the tests of signals expect.

    Under nohup, SIGHUP is ignored, and in a script's background job, SIGINT and SIGQUIT are ignored. Child processes
    inherit an ignored signal, but not a handler. So this process gets a handler that does nothing.
    """
    for number in numbers:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
