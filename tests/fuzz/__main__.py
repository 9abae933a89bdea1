"""``python -m tests.fuzz [--seconds N] [TARGET ...]``: search for input that breaks a reader (``make fuzz``)."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tests.fuzz.search import search
from tests.fuzz.targets import TARGETS, Target

EXAMPLES = 200  # between two looks at the clock


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of: {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds for each target (default: 60)")
    options = parser.parse_args()
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"unknown target: {', '.join(unknown)}")
    names = options.targets or list(TARGETS)
    broken = [name for name in names if not _holds(name, TARGETS[name], options.seconds)]
    if broken:
        print(f"broken: {', '.join(broken)}")
    return 1 if broken else 0


def _holds(name: str, target: Target, seconds: float) -> bool:
    """Search for ``seconds``. Return whether no input breaks the target, and print an input that does."""
    until, calls = time.monotonic() + seconds, 0
    try:
        while time.monotonic() < until:
            search(target, EXAMPLES)
            calls += EXAMPLES
    except Exception:
        print(f"{name}: broken after {calls} calls", flush=True)
        traceback.print_exc(file=sys.stdout)
        return False
    print(f"{name}: {calls} calls, nothing found", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
