"""Glidepath: move AI inference traffic from one backend to another, one measured step at a time.

See ADR 0001 and ADR 0131.
"""

__version__ = "0.1.0"
