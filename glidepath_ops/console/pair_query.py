"""Translates the query parameters of a URL into a search for pairs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from glidepath.answer_faults import AnswerFault
from glidepath.config.units import parse_duration
from glidepath.errors import InputError
from glidepath.pair_labels import Judgement
from glidepath.pairs import PairKind
from glidepath.sides import Side
from glidepath_ops.pairs.flag_names import is_flag
from glidepath_ops.pairs.select_pairs import PairFilter

SORTS = ("worst", "newest")
LABELS = (*(one.value for one in Judgement), "any", "none")
_STATUS = re.compile(r"[1-5](?:\d\d|xx)", re.ASCII)
_NAMES = ("sort", "flag", "fault", "unscored", "side", "status", "since", "until", "request", "sticky", "label", "kind")


@dataclass(frozen=True, slots=True)
class PairQuery:
    """A search: the filter, the order, and the parameters as they were given (for links)."""

    filter: PairFilter
    worst: bool
    given: Mapping[str, str]

    def link(self, **more: object) -> str:
        """Return the query of a URL with the parameters of this search and ``more``."""
        return urlencode({**self.given, **{name: str(value) for name, value in more.items()}}, errors="replace")


def query_of(parameters: Mapping[str, str], digest: Callable[[str], str], now_ms: int) -> PairQuery:
    """Return the search that the query parameters describe. Raises InputError for a parameter with a wrong value.

    ``digest``: converts a sticky value to the digest in pairs.
    """
    given = {name: parameters[name].strip()[:200] for name in _NAMES if parameters.get(name, "").strip()}
    sticky = given.get("sticky", "")
    label = _one_of("label", given.get("label", ""), LABELS)
    kind = _one_of("kind", given.get("kind", "cross"), (*(one.value for one in PairKind), "all"))
    side = _one_of("side", given.get("side", ""), tuple(one.value for one in Side))
    chosen = PairFilter(
        flags=_named("flag", given.get("flag", ""), is_flag),
        faults=_named("fault", given.get("fault", ""), lambda name: name in set(AnswerFault)),
        reasons=frozenset(filter(None, [given.get("unscored", "")])),
        side=Side(side) if side else None,
        status=_status(given.get("status", "")),
        since_ms=moment("since", given.get("since", ""), now_ms),
        until_ms=moment("until", given.get("until", ""), now_ms),
        request_id=given.get("request", ""),
        sticky=frozenset({sticky, digest(sticky)}) if sticky else frozenset(),
        label=Judgement(label) if label in set(Judgement) else None,
        labelled={"any": True, "none": False}.get(label),
        kind=None if kind == "all" else PairKind(kind),
    )
    return PairQuery(chosen, _one_of("sort", given.get("sort", "worst"), SORTS) == "worst", given)


def moment(name: str, text: str, now_ms: int) -> int | None:
    """Return the time that a parameter gives, in Unix milliseconds; None for an empty parameter.

    The text is an age such as ``2h``, or a local time in ISO 8601. Raises InputError for any other text.
    """
    if not text:
        return None
    try:
        if re.match(r"\d{4}-", text):
            return round(datetime.fromisoformat(text).timestamp() * 1000)
        return now_ms - round(parse_duration(text) * 1000)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: must be an age such as 2h, or 2026-03-01T14:00 (got {text[:40]!r})") from error


def _named(parameter: str, name: str, is_name: Callable[[str], bool]) -> frozenset[str]:
    if name and not is_name(name):
        raise InputError(f"{parameter}: no pair can have {name[:40]!r}")
    return frozenset({name} if name else ())


def _one_of(parameter: str, text: str, allowed: tuple[str, ...]) -> str:
    if text and text not in allowed:
        raise InputError(f"{parameter}: must be one of {', '.join(allowed)} (got {text[:40]!r})")
    return text


def _status(text: str) -> str:
    if text and not _STATUS.fullmatch(text):
        raise InputError(f"status: must be a status such as 503, or 5xx (got {text[:40]!r})")
    return text
