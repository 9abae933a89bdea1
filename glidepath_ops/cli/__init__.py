"""The command line interface, with one module per command.

A command's module is imported only when the command runs, so that --help is fast.
"""

import signal


def main() -> None:
    """Run the command line. Until its modules are imported, Ctrl-C ends the process at once, without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from glidepath_ops.cli.command_line import run

    run()


__all__ = ["main"]
