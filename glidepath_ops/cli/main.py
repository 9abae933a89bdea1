"""The entry point: commands by name, and one place where errors become one line and an exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import typer

from glidepath.errors import GlidepathError, InputError

_READER_GONE = 1
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_SERVICES = frozenset({"demo", "up", "extproc", "scorer"})  # run without a terminal; what they print is no result

HELP = "Move AI inference traffic from one backend to another, one measured step at a time."

# command → (module with a typer app or function named `command`, one line for --help)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("glidepath_ops.cli.demo", "Run a whole migration on this machine, with a fault and the way back."),
    "up": ("glidepath_ops.cli.up", "Run everything for your own backends on this machine."),
    "extproc": ("glidepath_ops.cli.extproc", "Run the ext_proc server alone (beside an Envoy)."),
    "scorer": ("glidepath_ops.cli.scorer", "Run the scorer alone (scores pairs, steers when it holds the lease)."),
    "render": ("glidepath_ops.cli.render", "Write Envoy configuration from glidepath.yaml."),
    "validate": ("glidepath_ops.cli.validate", "Check glidepath.yaml and what is rendered from it."),
    "status": ("glidepath_ops.cli.status", "Show where every workload stands."),
    "hold": ("glidepath_ops.cli.steering_commands:hold", "Stop the automation of a workload where it is."),
    "resume": ("glidepath_ops.cli.steering_commands:resume", "Let the automation go on."),
    "promote": ("glidepath_ops.cli.steering_commands:promote", "One step on, now."),
    "approve": ("glidepath_ops.cli.steering_commands:approve", "Say yes to the step that waits for an approval."),
    "rollback": ("glidepath_ops.cli.steering_commands:rollback", "Traffic back to the baseline, now."),
    "retry": ("glidepath_ops.cli.steering_commands:retry", "Start again after a rollback."),
    "abort": ("glidepath_ops.cli.steering_commands:abort", "Back to 0 % and stay there."),
    "drill": ("glidepath_ops.cli.steering_commands:drill", "Prove the way back before it is needed."),
    "shadow": (
        "glidepath_ops.cli.steering_commands:shadow",
        "Copy another share of the requests; auto: as configured.",
    ),
    "log": ("glidepath_ops.cli.log", "Read the decision log; annotate it."),
    "judge": ("glidepath_ops.cli.judge", "Judge a file of outcomes with the same gates."),
    "plan": ("glidepath_ops.cli.plan", "How long each step will take, and which gate is the slow one."),
    "calibrate": ("glidepath_ops.cli.calibrate", "Propose thresholds from the noise floor and stored pairs."),
    "score": ("glidepath_ops.cli.score", "Score a file of answer pairs."),
    "doctor": ("glidepath_ops.cli.doctor", "Check a running Envoy and Redis, with remedies."),
    "probe": ("glidepath_ops.cli.probe", "Send synthetic prompts through both sides."),
    "decommission": ("glidepath_ops.cli.decommission", "The checklist for the baseline's end."),
}


def build_app(wanted: str | None) -> typer.Typer:
    """All commands by name and help line; only the wanted one's module is imported."""
    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)
    for name, (place, help_line) in COMMANDS.items():
        if name != wanted:
            app.command(name, help=help_line)(lambda: None)
            continue
        module, _, attribute = place.partition(":")
        target = getattr(import_module(module), attribute or "command")
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=help_line)
        else:
            app.command(name)(target)
    return app


def main() -> None:
    """Run the CLI; an error of ours is one line on stderr and its exit status, never a traceback."""
    wanted = next((a for a in sys.argv[1:] if not a.startswith("-")), None)
    try:
        with _told_output(wanted):
            build_app(wanted)()
    except GlidepathError as error:
        print(f"glidepath: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def _told_output(wanted: str | None) -> Iterator[None]:
    """What is still in stdout's buffer is written here, where its failure can be told, and not while Python ends.

    A reader that has gone (``| head``) is no error of anybody's: quiet, and Typer's status for it, as it ends such a
    command by itself where the write failed within it. A closed stdout fails as a full disk does, at the first result:
    a rollback is under way by then.
    """
    if sys.__stdout__ is None:
        flags = os.O_WRONLY if wanted in _SERVICES else os.O_RDONLY  # to write to the latter is an error, EBADF
        sys.stdout = open(os.open(os.devnull, flags), "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        sys.exit(_READER_GONE)
    except OSError as error:
        closed = sys.__stdout__ is None and error.errno == errno.EBADF
        if not closed and (error.errno not in _FULL or error.filename is not None):
            raise
        _silence()
        why = "it is closed" if closed else error.strerror
        raise InputError(f"standard output: cannot be written: {why}") from error


def _silence() -> None:
    """What stdout still holds goes nowhere, so that Python's own flush at the end does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
