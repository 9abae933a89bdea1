"""Runs the ``glidepath`` command with ``python -m glidepath_ops``."""

from glidepath_ops.cli import main

if __name__ == "__main__":
    main()
