"""Glidepath: move AI inference traffic from one backend to another, one measured step at a time.

The package ``glidepath`` contains the code that all processes share. ADR 0001 and ADR 0131 describe how the project is
split into packages.
"""

__version__ = "0.1.0"
