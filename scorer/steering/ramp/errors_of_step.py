"""Name the kinds of the candidate's errors in the present step, for the reason of a rollback."""

from __future__ import annotations

from collections.abc import Mapping

from glidepath.sides import Origin, Side

NAMED = 3  # kinds that are named; the others are only counted
_OF_CLIENTS = f"{Side.CANDIDATE.value} {Origin.LIVE.value} "


def errors_of_step(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Return the kinds of errors of clients' requests at the candidate, such as "connect 12, http_503 3", or "".

    ``before`` and ``now``: ``Totals.error_kinds`` at the beginning of the step and at present.
    """
    grown = {
        name.removeprefix(_OF_CLIENTS): number - before.get(name, 0)
        for name, number in now.items()
        if name.startswith(_OF_CLIENTS) and number > before.get(name, 0)
    }
    ordered = sorted(grown.items(), key=lambda one: (-one[1], one[0]))
    named = [f"{kind} {number}" for kind, number in ordered[:NAMED]]
    others = sum(number for _, number in ordered[NAMED:])
    return ", ".join([*named, *([f"other kinds {others}"] if others else [])])
