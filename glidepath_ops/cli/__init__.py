"""The command line interface, with one module per command.

A module is imported only when its command runs, so that --help is fast.
"""

from glidepath_ops.cli.main import main

__all__ = ["main"]
