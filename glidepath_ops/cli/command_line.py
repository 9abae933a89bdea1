"""The entry point of the CLI: the table of commands, and the handling of errors.

For an error, each fault becomes a line on stderr, and the process ends with an exit status.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from glidepath.errors import ConfigError, GlidepathError, InputError
from glidepath_ops.cli.option_metavars import show_words

_READER_CLOSED = 1  # exit status of a command whose output was piped to a program that stopped reading
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
# Commands whose output may be lost, because it is not a result.
_SERVICES = frozenset({"demo", "up", "extproc", "scorer", "console"})

HELP = "Move AI inference traffic from one backend to another, one measured step at a time."

# Name of the command → (its place, its line in --help). The place is a module of this package, or MODULE:FUNCTION.
# Without FUNCTION, the command is the function or Typer app `command` of the module.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "Run a complete migration on this machine, then inject a fault and watch the automatic rollback."),
    "up": ("up", "Run Envoy, Redis, extproc, the scorer and the console on this machine for your own backends."),
    "extproc": ("extproc", "Run the ext_proc (external processing) server of an Envoy."),
    "scorer": ("scorer", "Score answer pairs; one scorer at a time also sets the traffic weights at Envoy."),
    "console": ("console", "Serve the web page on which people watch and steer the workloads, and read their pairs."),
    "render": ("render", "Write Envoy or mesh configuration from glidepath.yaml."),
    "validate": ("validate", "Check glidepath.yaml and the Envoy configuration rendered from it."),
    "inventory": ("inventory", "List the workloads in the traffic, what each needs, and in which order to move them."),
    "status": ("status", "Show the candidate's share, the phase and the gates of each workload."),
    "watch": ("watch", "Show the workloads, their gates and the latest decisions, and follow them until Ctrl-C."),
    "hold": ("steering_commands:hold", "Pause the automation of a workload at its current share."),
    "resume": ("steering_commands:resume", "Resume the automation of a workload."),
    "promote": ("steering_commands:promote", "Move a workload to its next step now."),
    "approve": ("steering_commands:approve", "Approve the step that is waiting for approval, and take it."),
    "rollback": ("steering_commands:rollback", "Move a workload's traffic back to the baseline now."),
    "retry": (
        "steering_commands:retry",
        "Restart a workload's ramp after a rollback or an abort, discarding earlier evidence.",
    ),
    "abort": (
        "steering_commands:abort",
        "Move all of a workload's traffic to the baseline, and stop the ramp until you run retry.",
    ),
    "drill": ("steering_commands:drill", "Rehearse a rollback and measure how long it takes."),
    "shadow": ("steering_commands:shadow", "Set the share of requests that are copied to the other backend."),
    "log": ("log", "Show the decision log, or annotate a decision."),
    "pairs": ("pairs", "List, show, export, label and forget stored pairs of answers."),
    "judge": ("judge", "Apply a workload's gates to a file of recorded requests."),
    "plan": ("plan", "Estimate how long each step of the ramp takes and which gate is slowest."),
    "cost": ("cost", "Show what the migration costs and saves, and when the savings cover its cost."),
    "report": (
        "report",
        "Write a document that makes the case for a migration to engineering, finance, legal and procurement.",
    ),
    "calibrate": ("calibrate", "Propose gate thresholds from the scores of stored pairs."),
    "score": ("score", "Score how well the two answers of each pair in a file agree."),
    "feedback": ("feedback", "Record feedback on individual answers, by request id."),
    "erase": ("erase", "Erase the stored pairs of one user, or of one request."),
    "doctor": ("doctor", "Check the running Envoys and Redis, and suggest a remedy for each problem."),
    "probe": ("probe", "Send synthetic prompts to both backends, and show status, time and agreement of the answers."),
    "decommission": ("decommission", "Show the checklist for switching off a baseline."),
}


def build_app(wanted: str | None) -> typer.Typer:
    """Return the Typer app with all commands.

    Only the module of the ``wanted`` command is imported. Other commands have only their line in --help.
    """
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help=HELP,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, (place, help_line) in COMMANDS.items():
        if name != wanted:
            app.command(name, help=help_line)(lambda: None)
            continue
        module, _, attribute = place.partition(":")
        target = getattr(import_module(f"glidepath_ops.cli.{module}"), attribute or "command")
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, help=help_line)
        else:
            app.command(name)(target)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"glidepath {version('glidepath')}")
        raise typer.Exit


def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def wanted_command(arguments: Sequence[str], completed: str) -> str | None:
    """Return the command in the arguments or, if a shell asks for completions, in the line that it completes.

    Return None without a command. ``completed``: the line that the shell completes, or "".
    """
    words = completed.split()[1:] if completed else arguments
    return next((word for word in words if not word.startswith("-")), None)


def run() -> None:
    """Run the CLI. A GlidepathError becomes text on stderr and an exit status; no traceback is printed."""
    wanted = wanted_command(sys.argv[1:], os.environ.get("_TYPER_COMPLETE_ARGS", ""))
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with _checked_output(wanted):
            command = typer.main.get_command(build_app(wanted))
            show_words(command)
            command()
    except GlidepathError as error:
        for line in str(error).splitlines() if isinstance(error, ConfigError) else [str(error)]:
            print(f"glidepath: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def _checked_output(wanted: str | None) -> Iterator[None]:
    """Flush stdout before the process ends, so that a failed write is reported and sets the exit status.

    If the reader of a pipe closes it (``| head``), the command ends silently with exit status 1, which Typer also uses
    for a failed write within the command. If stdout itself is closed, or the disk is full, the first failed write
    raises InputError. A command such as rollback has already been sent by then, and takes effect.
    """
    if sys.__stdout__ is None:
        # A result that is written to the read-only descriptor fails with EBADF, which is reported below.
        flags = os.O_WRONLY if wanted in _SERVICES else os.O_RDONLY
        sys.stdout = open(os.open(os.devnull, flags), "w", encoding="utf-8")  # noqa: SIM115 - open until the end
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        sys.exit(_READER_CLOSED)
    except OSError as error:
        closed = sys.__stdout__ is None and error.errno == errno.EBADF
        if not closed and (error.errno not in _DISK_ERRORS or error.filename is not None):
            raise
        _discard_output()
        why = "it is closed" if closed else error.strerror
        raise InputError(f"standard output: cannot be written: {why}") from error


def _discard_output() -> None:
    """Redirect stdout to /dev/null, so that Python's own flush at exit does not fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
