"""The decorator that gives ``glidepath pairs list`` and ``pairs export`` the options that select pairs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

import typer

from extproc.workloads import build_workloads, digest_in_removed_workload
from glidepath.answer_faults import AnswerFault
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.config.units import parse_duration
from glidepath.errors import InputError
from glidepath.name_suggestions import did_you_mean
from glidepath.pair_labels import Judgement
from glidepath.pairs import PairKind
from glidepath.sides import Side
from glidepath_ops.pairs.flag_names import FLAG_NAMES, is_flag
from glidepath_ops.pairs.select_pairs import PairFilter

_STATUS = re.compile(r"[1-5](?:\d\d|xx)", re.ASCII)
_KINDS: dict[str, PairKind | None] = {**{kind.value: kind for kind in PairKind}, "all": None}

Flags = Annotated[
    list[str] | None,
    typer.Option("--flag", help="Only pairs with this flag. Repeat the option to allow several."),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        help="Only pairs in which an answer has this fault, such as refusal. Repeat the option to allow several.",
    ),
]
Unscored = Annotated[
    list[str] | None,
    typer.Option(
        "--unscored",
        metavar="REASON",
        help="Only pairs that could not be scored for this reason. Repeat the option to allow several.",
    ),
]
SideOption = Annotated[
    Side | None,
    typer.Option(
        "--side",
        help="Only pairs in which this side's answer has a fault, has an unsuccessful status or prevents a score. "
        "With --status: the side whose answer has this status.",
    ),
]
StatusOption = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="Only pairs in which an answer has this status, such as 503 or 5xx; with --side, the answer of that side.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only pairs captured since this time: an age such as 2h, or 2026-03-01T14:00."
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only pairs captured before this time; see --since.")
]
RequestId = Annotated[str | None, typer.Option("--request", metavar="ID", help="Only the pairs of this request.")]
Sticky = Annotated[
    str | None,
    typer.Option(
        "--sticky",
        metavar="VALUE",
        help="Only pairs with this sticky value, such as a user's, given in plain text or as the digest that is stored "
        "in pairs.",
    ),
]
LabelFilter = Annotated[Judgement | None, typer.Option("--label", help="Only pairs with this judgement by a person.")]
Labelled = Annotated[
    bool | None, typer.Option("--labelled/--unlabelled", help="Only pairs with, or without, a person's judgement.")
]
KindOption = Annotated[
    str,
    typer.Option(
        "--kind",
        help="cross: pairs of a baseline's and a candidate's answer; noise: pairs of two answers of the baseline; or "
        "all.",
    ),
]
Worst = Annotated[
    bool,
    typer.Option(
        "--worst",
        help="Sort by how bad the candidate's answer is: first the pairs in which only this answer has a fault, then "
        "those in which it lost the evaluator's comparison or is less correct than the baseline's, then by agreement.",
    ),
]


@dataclass(frozen=True, slots=True)
class PairChoice:
    """The selection of pairs that the options describe. ``sticky``: a sticky value or its digest; "" for any."""

    filter: PairFilter
    worst: bool
    sticky: str

    def filter_of(self, settings: Config, workload: str) -> PairFilter:
        """Return the filter for a workload. A sticky value may be given in plain text or as its digest.

        Raises ConfigError if the key for the digest cannot be read.
        """
        if not self.sticky:
            return self.filter
        if workload in settings.workloads:
            digest = build_workloads(settings)[workload].sticky(self.sticky)
        else:
            digest = digest_in_removed_workload(settings, workload, self.sticky)
        return replace(self.filter, sticky=frozenset({self.sticky, digest} - {""}))


def choosing_pairs(run: Callable[..., None]) -> Callable[..., None]:
    """Return ``run`` as a command that also has the options for selecting pairs. ``run`` gets them as ``choice``.

    The command raises InputError for an invalid option.
    """

    def command(
        worst: Worst = False,
        flag: Flags = None,
        fault: Faults = None,
        unscored: Unscored = None,
        side: SideOption = None,
        status: StatusOption = None,
        since: Since = None,
        until: Until = None,
        request: RequestId = None,
        sticky: Sticky = None,
        label: LabelFilter = None,
        labelled: Labelled = None,
        kind: KindOption = "cross",
        **own: Any,
    ) -> None:
        now_ms = unix_ms()
        chosen = PairFilter(
            flags=_names("--flag", flag, FLAG_NAMES, is_flag),
            faults=_names("--fault", fault, tuple(AnswerFault), lambda name: name in tuple(AnswerFault)),
            reasons=frozenset(unscored or ()),
            side=side,
            status=_status(status),
            since_ms=_moment("--since", since, now_ms),
            until_ms=_moment("--until", until, now_ms),
            request_id=request or "",
            label=label,
            labelled=labelled,
            kind=_kind(kind),
        )
        run(choice=PairChoice(chosen, worst, sticky or ""), **own)

    *shared, _ = inspect.signature(command, eval_str=True).parameters.values()
    own = [one for one in inspect.signature(run, eval_str=True).parameters.values() if one.name != "choice"]
    command.__name__, command.__doc__ = run.__name__, run.__doc__
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # Typer reads it
    return command


def _names(
    option: str, given: list[str] | None, allowed: tuple[str, ...], is_name: Callable[[str], bool]
) -> frozenset[str]:
    """Return the names that the user gave with an option. Raises InputError for a name that no result can have."""
    for name in given or ():
        if not is_name(name):
            hint = f"{did_you_mean(name, allowed)}allowed: {', '.join(allowed)}"
            raise InputError(f"{option}: no pair can have {name[:40]!r} ({hint})")
    return frozenset(given or ())


def _status(text: str | None) -> str:
    if text is not None and not _STATUS.fullmatch(text):
        raise InputError(f"--status: must be a status such as 503, or 5xx (got {text[:40]!r})")
    return text or ""


def _kind(text: str) -> PairKind | None:
    if text not in _KINDS:
        raise InputError(f"--kind: must be {', '.join(_KINDS)} (got {text[:40]!r})")
    return _KINDS[text]


def _moment(option: str, text: str | None, now_ms: int) -> int | None:
    """Return the time that an option gives, in Unix milliseconds; None without the option.

    The text is an age such as ``2h``, or a local time in ISO 8601. Raises InputError for any other text.
    """
    if text is None:
        return None
    if re.match(r"\d{4}-", text):
        try:
            return round(datetime.fromisoformat(text).timestamp() * 1000)
        except (ValueError, OverflowError) as error:
            raise _wrong_moment(option, text) from error
    try:
        return now_ms - round(parse_duration(text) * 1000)
    except ValueError as error:
        raise _wrong_moment(option, text) from error


def _wrong_moment(option: str, text: str) -> InputError:
    return InputError(f"{option}: must be an age such as 2h, or 2026-03-01T14:00 (got {text[:40]!r})")
