"""Shows the progress of the demo: on a terminal, a page that is redrawn; elsewhere, lines of text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from glidepath.status_and_decisions import Decision, SideStatus, Verdict, WorkloadStatus
from glidepath_ops.demo.client_load import ClientStats
from glidepath_ops.demo.demo_state import DemoState
from glidepath_ops.evidence_text import evidence_text

LOG_LINES = 12
LINE_EVERY = 5.0  # seconds between two lines that show the state, on a display that is not a terminal


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the demo at one moment, ``elapsed`` seconds after the first request."""

    elapsed: float
    seen: DemoState
    clients: ClientStats
    stage: str


class Display(Protocol):
    def print_line(self, line: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def number(value: float | None, form: str = "{:.0f}") -> str:
    return "–" if value is None else form.format(value)


def line(snapshot: Snapshot) -> str:
    """Return the most important numbers of a snapshot as one line."""
    status, stats = snapshot.seen.status, snapshot.clients
    agreement = status.agreement if status else None
    return (
        f"{snapshot.elapsed:5.1f} s  candidate {number(snapshot.seen.percent, '{:g}')} %  {snapshot.seen.phase}"
        f"  agreement {number(agreement, '{:.3f}')}  p50 {number(stats.p50_ms())} ms"
        f"  {stats.requests} requests, {stats.errors} failed  pairs {status.pairs_scored if status else 0}"
    )


def decision_line(decision: Decision) -> str:
    change = f"{decision.from_percent:g} → {decision.to_percent:g} %"
    trigger = f" [{decision.trigger}]" if decision.trigger else ""
    return f"{decision.event:<11} {change:<11}{trigger} {decision.reason}"


def verdict_row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    """Return a verdict as table cells: gate, outcome, value and limit, samples, and evidence."""
    unit = "" if verdict.unit in ("", "ratio") else f" {verdict.unit}"
    against = f"{number(verdict.value, '{:.3g}')} / {number(verdict.limit, '{:.3g}')}{unit}"
    return verdict.gate, verdict.outcome, against, str(verdict.n), evidence_text(verdict)


class PlainDisplay:
    """A display that prints a line for each decision, and every few seconds a line with the state."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._decisions = 0
        self._last = float("-inf")

    def print_line(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        for decision in snapshot.seen.decisions[self._decisions :]:
            self.print_line(f"{snapshot.elapsed:5.1f} s  {decision_line(decision)}")
        self._decisions = len(snapshot.seen.decisions)
        if snapshot.elapsed - self._last >= LINE_EVERY:
            self._last = snapshot.elapsed
            self.print_line(line(snapshot))

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None


class LiveDisplay:
    """A display that redraws a page on the terminal, four times a second."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=False)
        self._drawn = 0.0
        self._started = False

    def print_line(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        if not self._started:
            self.live.start()
            self._started = True
        now = time.monotonic()
        if now - self._drawn >= 0.25:
            self._drawn = now
            self.live.update(page(snapshot), refresh=True)

    def __enter__(self) -> LiveDisplay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._started:
            self.live.stop()
            self._started = False


def make_display(console: Console) -> Display:
    """Return the display for ``console``: a redrawn page if it is a terminal, otherwise lines of text."""
    return LiveDisplay(console) if console.is_terminal and not console.is_dumb_terminal else PlainDisplay(console)


def page(snapshot: Snapshot) -> RenderableType:
    """Return the page for a snapshot, as wide as the terminal."""
    status = snapshot.seen.status
    parts: list[RenderableType] = [_head(snapshot), _weights(snapshot.seen.percent)]
    if status is not None:
        parts += [_sides(status), _gates(status.verdicts)]
    parts.append(_log(snapshot.seen.decisions))
    return Panel(Group(*parts), title="Glidepath", subtitle=snapshot.stage)


def _head(snapshot: Snapshot) -> Text:
    status, stats = snapshot.seen.status, snapshot.clients
    text = Text(f"{snapshot.elapsed:5.1f} s   {snapshot.seen.phase}   ", style="bold")
    text.append(f"clients: {stats.requests} requests, p50 {number(stats.p50_ms())} ms, ", style="none")
    text.append(f"{stats.errors} failed", style="bold red" if stats.errors else "green")
    if status is not None:
        text.append(f"\n{status.message}", style="dim")
    return text


def _weights(percent: float | None) -> Table:
    share = percent or 0.0
    table = Table.grid(padding=(0, 1))
    table.add_row(
        Text(f"cloud {100 - share:5.1f} %"),
        ProgressBar(total=100, completed=share, width=50, complete_style="cyan", finished_style="cyan"),
        Text(f"{share:5.1f} % onprem", style="bold cyan"),
    )
    return table


def _sides(status: WorkloadStatus) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("side", "requests", "errors", "p50 ms", "p95 ms", "first token ms"):
        table.add_column(column, justify="left" if column == "side" else "right", style="none")
    for name, side in (("cloud (baseline)", status.baseline), ("onprem (candidate)", status.candidate)):
        table.add_row(name, *_side_cells(side))
    agreement = f"agreement {number(status.agreement, '{:.3f}')}, noise floor {number(status.noise, '{:.3f}')}"
    table.add_row(Text(f"{agreement}, {status.pairs_scored} pairs", style="magenta"))
    return table


def _side_cells(side: SideStatus) -> tuple[Text | str, ...]:
    errors = Text(str(side.errors), style="bold red" if side.errors else "none")
    return (str(side.requests), errors, number(side.p50_ms), number(side.p95_ms), number(side.ttft_p50_ms))


_COLOURS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def _gates(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, padding=(0, 2))
    for column in ("gate", "verdict", "value / limit", "samples", "evidence"):
        table.add_column(column)
    for verdict in verdicts:
        gate, outcome, *rest = verdict_row(verdict)
        table.add_row(gate, Text(outcome, style=_COLOURS.get(outcome, "none")), *rest)
    return table


def _log(decisions: Sequence[Decision]) -> Text:
    text = Text("\n")
    for decision in decisions[-LOG_LINES:]:
        back = decision.to_percent < decision.from_percent
        text.append(decision_line(decision) + "\n", style="bold red" if back else "green")
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
