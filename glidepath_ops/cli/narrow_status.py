"""``glidepath status`` for a terminal that is too narrow for tables: lines of at most 80 columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from glidepath.pluralization import number_of
from glidepath.status_and_decisions import Verdict, WorkloadStatus
from glidepath_ops.evidence_text import BASES, evidence_text

NARROW = 120  # columns below which lines are shown instead of tables
NEVER_STEERED = "no scorer has steered it yet; start `glidepath up`, or `glidepath scorer`"
_MARKS = {"pass": "[green]✓[/]", "fail": "[bold red]✗[/]", "inconclusive": "[yellow]…[/]"}


def indented(line: str) -> Padding:
    """Return the line with the padding that gives its continuation lines the same indentation."""
    depth = len(line) - len(line.lstrip())
    return Padding(Text.from_markup(line.lstrip()), (0, 0, 0, depth), expand=False)


def workload_lines(name: str, status: WorkloadStatus | None, trouble: str, latency: str) -> Iterator[str]:
    """Yield the lines about one workload. ``trouble``: why it is not steered; ``latency``: both sides' latency."""
    if status is None:
        yield f"[bold]{escape(name)}[/]: {trouble or NEVER_STEERED}"
        return
    share = f"{status.percent:g} %" if status.share_known else "[bold red]share unknown[/]"
    place = f"{status.phase.replace('_', ' ')}, step {status.step + 1} of {len(status.steps)}"
    yield f"[bold]{escape(name)}[/]  {share}, {place}, {status.confirmed} of {number_of(status.envoys, 'Envoy')}"
    if trouble:
        yield f"  {trouble}"
    if status.message:
        yield f"  {escape(status.message)}"
    agreement = "–" if status.agreement is None else f"{status.agreement:.3f}"
    floor = "" if status.noise is None else f", noise floor {status.noise:.3f}"
    yield f"  agreement {agreement}{floor}; {latency}"


def gate_lines(verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    """Yield two lines for each gate: its verdict and evidence, and its message."""
    for verdict in verdicts:
        name = verdict.gate if verdict.gating else f"{verdict.gate} (informational)"
        basis = f" from {BASES[verdict.basis]}" if verdict.basis in BASES else ""
        decided = f"{verdict.outcome}, evidence {evidence_text(verdict)}{basis}"
        yield f"{_MARKS.get(verdict.outcome, '?')} [bold]{escape(name)}[/]: {decided}"
        if verdict.message:
            yield f"    {escape(verdict.message)}"
