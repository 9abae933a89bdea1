"""The command line. Each command lives in a module of this package, loaded when it is used: ``--help`` stays fast."""

from glidepath_ops.cli.main import main

__all__ = ["main"]
