"""Glidepath: move AI inference traffic from one backend to another, one measured step at a time."""

__version__ = "0.1.0"
