"""The command line interface: one module per command, imported only when the command runs, so that --help is fast."""

from glidepath_ops.cli.main import main

__all__ = ["main"]
