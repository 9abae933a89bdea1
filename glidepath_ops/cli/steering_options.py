"""The decorator that gives every steering command its shared arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from glidepath.status_and_decisions import Command
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, Reason, Workload, seconds_of

MAX_WAIT_S = 86400.0
Wait = Annotated[
    str, typer.Option("--wait", metavar="DURATION", help="How long to wait for the scorer's answer, such as 30s.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Send the command and do not wait for the answer.")]

Build = Callable[..., Command]
Send = Callable[[Path, str, Command, float, bool], None]


def steering_command(send: Send, wait: str = "10s") -> Callable[[Build], Callable[..., None]]:
    """Return a decorator that makes a CLI command from a function ``build``, which returns a ``Command``.

    The CLI command takes the workload, then the parameters of ``build``, then the shared options. It calls ``build``
    and adds the reason to the ``Command``. Then it calls ``send`` with the path of the configuration, the workload, the
    ``Command``, the seconds to wait (default ``wait``; 0: do not wait) and whether to print JSON.
    """

    def decorate(build: Build) -> Callable[..., None]:
        def run(
            workload: Workload,
            config: ConfigPath = DEFAULT_CONFIG,
            reason: Reason = "",
            wait: Wait = wait,
            no_wait: NoWait = False,
            as_json: AsJson = False,
            **own: Any,
        ) -> None:
            seconds = 0.0 if no_wait else seconds_of("--wait", wait, MAX_WAIT_S)
            send(config, workload, replace(build(**own), reason=reason), seconds, as_json)

        first, *shared, _ = inspect.signature(run, eval_str=True).parameters.values()
        own = inspect.signature(build, eval_str=True).parameters.values()
        run.__name__, run.__doc__ = build.__name__, build.__doc__
        run.__signature__ = inspect.Signature([first, *own, *shared])  # type: ignore[attr-defined]  # Typer reads it
        return run

    return decorate
