"""The command line interface, with one module per command.

A command's module is imported only when the command runs, so that --help is fast.
"""

from glidepath_ops.cli.main import main

__all__ = ["main"]
